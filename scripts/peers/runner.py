"""One execution of one row by one peer, in a fresh process."""

import ctypes
import json
import os
import resource
import subprocess

PR_SET_TIMERSLACK = 29


class Failed(Exception):
    """The peer did not do its work: no figures."""


def prepare_child(processors):
    """In the child, before exec: its processors, the least timer slack, all the descriptors that it may have."""
    libc = ctypes.CDLL(None)

    def prepare():
        os.sched_setaffinity(0, processors)
        libc.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    return prepare


def start(program, arguments, environment, processors):
    return subprocess.Popen(
        [*program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        preexec_fn=prepare_child(processors),
    )


def finish(process, timeout):
    """What the process printed. Fails unless it succeeded in time."""
    try:
        output, complaint = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Failed(f"not done after {timeout} s") from None
    if process.returncode != 0:
        last = complaint.strip().splitlines()[-1:] or ["no message"]
        how = f"signal {-process.returncode}" if process.returncode < 0 else f"exit status {process.returncode}"
        raise Failed(f"{how}: {last[0][:300]}")
    return output


def parse(output):
    try:
        result = json.loads(output.strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError) as error:
        raise Failed(f"printed no result: {output[-200:]!r}") from error
    if not result.get("operations") or not result.get("nanoseconds"):
        raise Failed(f"counted nothing: {result}")
    return result


def execute(program, row, scale, environment, layout, client, timeout):
    """The row's result as a dictionary. Raises `Failed`."""
    processors = layout.everything if row.all_processors else {layout.worker}
    workers = {"PEER_WORKERS": str(len(processors))}
    process = start(program, [row.name, repr(scale)], {**environment, **workers}, processors)
    try:
        if not row.connections:
            return parse(finish(process, timeout))
        return serve(process, row, scale, layout, client, timeout)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def serve(process, row, scale, layout, client, timeout):
    """The peer serves; the client, on the other processor, drives it and holds both clocks."""
    line = process.stdout.readline()
    if '"port"' not in line:
        finish(process, timeout)
        raise Failed(f"printed no port: {line!r}")
    round_trips = max(row.connections, int(row.round_trips * scale))
    arguments = [str(json.loads(line)["port"]), str(row.connections), str(round_trips), str(process.pid)]
    driver = start(client, arguments, {}, {layout.client})
    try:
        result = parse(finish(driver, timeout))
    except Failed as error:
        # The server's own complaint says more than the client's about it.
        if process.poll() is not None and process.returncode != 0:
            finish(process, timeout)
        raise error
    served = parse(finish(process, timeout))
    if served["operations"] * 64 != result["bytesSent"]:
        raise Failed(f"the server counted {served['operations'] * 64} bytes, the client {result['bytesSent']}")
    return {**served, **result}
