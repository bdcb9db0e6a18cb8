"""The probe: the only code of snapshotter that runs in the target, under an oath.

The probe
 1. uses only what every interpreter has loaded at start-up (``sys``, ``posix``, ``time``,
    ``marshal``, ``_thread``, ``_signal``, ``_imp``; ``gc`` through ``_imp.create_builtin``):
    nothing new appears in ``sys.modules``, no file is opened but our code, request and reply;
 2. runs no user code: it decides with ``type(x) is ...`` and reads through the C descriptors of
    builtin types only;
 3. takes no lock and waits for nothing;
 4. never raises, never prints; an exception of a signal handler that lands inside it is handed
    on to the application, not swallowed;
 5. leaves nothing behind: no module, global, thread, descriptor, reference, cycle;
 6. keeps its time budget: it reads the clock every few values, stops, and says what is missing;
 7. runs only for whom it was meant: pid, nonce and deadline come first, too late means nothing;
 8. writes secrets nowhere: redaction comes before packing.

What is called on the way in, before the probe has proved what it uses: audit hooks, a replaced
``builtins.__import__`` or ``exec``, what ``sys.monitoring``, ``sys.setprofile`` and
``sys.settrace`` were given, and finalizers when the collector happens to run. From
:mod:`.pristine` on replaced builtins and functions of modules are found out and not called.

Once per process the names in the probe's code become interned strings (about 600); no later dump
adds one.

The modules of this package are merged into one before they are sent
(:mod:`snapshotter.attach.payload`), so each top-level name exists once in the whole package.
There are no classes in it: each one would stay in the target as a garbage cycle. Records are
dicts and lists whose shapes are declared for the type checker only.
"""
