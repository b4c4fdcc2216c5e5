"""Rounds of work, each when a line comes in on stdin, one JSON line after each: `skyforge bench .. --paced` in Python."""

import json
import sys


def say(**facts):
    print(json.dumps(facts), flush=True)


def serve(work):
    """`work()` makes one round and returns what is told of it. Idle between rounds."""
    say(ready=True)
    for _ in sys.stdin:
        say(**work())
