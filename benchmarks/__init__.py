"""What looking at a process costs it, measured: one program for each question, run by hand."""
