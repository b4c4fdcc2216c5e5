"""Scalars of a run, read by TensorBoard's event accumulator. Called by read_events, which makes the environment."""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def main() -> None:
    run = sys.argv[1]
    events = EventAccumulator(run, size_guidance={"scalars": 0})  # 0: all of them
    events.Reload()
    scalars = {
        name: [[event.step, event.value] for event in events.Scalars(name)] for name in events.Tags()["scalars"]
    }
    json.dump(scalars, sys.stdout, sort_keys=True)
    print()


if __name__ == "__main__":
    main()
