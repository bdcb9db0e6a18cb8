"""What each worker does beside its requests: invoices, mail and an audit trail.

The planted troubles, both of the kind that is hard to see from outside:

1. ``invoices`` takes the ledger, then the mailbox. Some seconds after the start, ``mail`` begins
   to resend and takes them the other way round: both threads then wait for each other for ever.
2. ``audit`` keeps every record in a list that nobody empties.
"""

import os
import queue
import threading
import time

__all__ = ["records", "start"]

records: queue.SimpleQueue[str] = queue.SimpleQueue()

_ledger = threading.Lock()
_mailbox = threading.Lock()


def start() -> None:
    """Start the three threads of a worker (threads do not survive a fork of the master)."""
    resend_at = time.monotonic() + float(os.environ.get("DEMO_TROUBLE_AFTER_S", "1.5"))
    for name, target, args in (
        ("invoices", write_invoices, ()),
        ("mail", send_mail, (resend_at,)),
        ("audit", keep_trail, ()),
    ):
        threading.Thread(target=target, args=args, name=name, daemon=True).start()


def write_invoices() -> None:
    """Write an invoice into the ledger and put it into the mailbox, again and again."""
    written = 0
    while True:
        with _ledger:
            written += 1
            time.sleep(0.02)
            with _mailbox:
                pass
        time.sleep(0.05)


def send_mail(resend_at: float) -> None:
    """Empty the mailbox; from ``resend_at`` on also look up in the ledger what was lost."""
    sent = 0
    while True:
        with _mailbox:
            sent += 1
            time.sleep(0.02)
            if time.monotonic() >= resend_at:
                # Longer than an invoice takes: by then the other thread wants the mailbox.
                time.sleep(0.2)
                with _ledger:
                    pass
        time.sleep(0.05)


def keep_trail() -> None:
    """Collect the records of all orders."""
    trail: list[str] = []
    while True:
        while not records.empty():
            trail.append(records.get())
        time.sleep(0.1)
