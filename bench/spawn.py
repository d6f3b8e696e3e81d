"""Start processes and report their cost. A child's peak memory starts at that of its parent, so this parent imports little.

It reads one line of JSON per process (command, environment, folder) and prints one (status, wall, cpu, memory).
"""

import json
import os
import sys
import time


def spawn(command: list[str], environment: dict[str, str], folder: str) -> dict[str, float]:
    """Run one process to its end; its stderr is inherited, its other streams are discarded."""
    began = time.perf_counter()
    child = os.fork()
    if child == 0:
        try:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, 0)
            os.dup2(nowhere, 1)
            os.chdir(folder)
            os.execve(command[0], command, environment)  # noqa: S606 - without a shell
        finally:
            os._exit(127)
    _, status, usage = os.wait4(child, 0)
    wall, cpu = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
    return {"status": os.waitstatus_to_exitcode(status), "wall": wall, "cpu": cpu, "memory": usage.ru_maxrss / 1024}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(spawn(*json.loads(line))), flush=True)
