"""Work behind the scenes: in order, all of it, and errors come back."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from eadnet.media.background_writer import BackgroundWriter, in_thread


@pytest.fixture(autouse=True)
def ctrl_c_interrupts() -> Iterator[None]:
    """Also in a job that a shell runs in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_everything_is_done_in_order_when_it_ends() -> None:
    done: list[int] = []
    with BackgroundWriter(done.append, 2) as give:
        for number in range(50):
            give(number)
    assert done == list(range(50))


def test_giving_goes_on_while_work_is_done_and_waits_when_too_much_waits() -> None:
    allowed, begun = threading.Semaphore(0), threading.Semaphore(0)

    def work(_: int) -> None:
        begun.release()
        allowed.acquire()

    given: list[int] = []

    def give_all() -> None:
        with BackgroundWriter(work, 2) as give:
            for number in range(5):
                give(number)
                given.append(number)

    giver = threading.Thread(target=give_all)
    giver.start()
    begun.acquire()
    giver.join(0.2)
    assert given == [0, 1, 2], "one is worked on, two wait, the next is not taken yet"
    allowed.release(5)
    giver.join(10)
    assert given == [0, 1, 2, 3, 4]


def fail_at_2(number: int) -> None:
    if number == 2:
        raise ValueError("two")


def test_what_fails_is_raised_at_the_next_call_or_the_end() -> None:
    given = []
    with pytest.raises(ValueError, match="two"), BackgroundWriter(fail_at_2, 1) as give:
        for number in range(100):
            give(number)
            given.append(number)
    assert len(given) < 10
    with pytest.raises(ValueError, match="two"), BackgroundWriter(fail_at_2, 9) as give:
        for number in range(3):
            give(number)


def test_an_error_of_the_giver_is_the_one_that_is_seen_and_what_was_given_is_done() -> None:
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt), BackgroundWriter(done.append, 9) as give:
        give(1)
        give(2)
        raise KeyboardInterrupt
    assert done == [1, 2]


def test_ctrl_c_is_raised_here_and_not_in_the_work_which_is_ended(ctrl_c: None) -> None:
    met: list[str] = []
    ended = threading.Event()

    def work() -> None:
        signal.raise_signal(signal.SIGINT)
        met.append("ended" if ended.wait(10) else "not ended")

    with pytest.raises(KeyboardInterrupt):
        in_thread(work, ended.set)
    assert met == ["ended"]


def test_work_in_a_thread_gives_and_raises_what_it_would_here() -> None:
    assert in_thread(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        in_thread(lambda: 1 // 0)


def test_an_error_meanwhile_ends_what_is_worked_on() -> None:
    """Whoever cancels does not wait for what takes long."""
    given_up = threading.Event()
    done: list[int] = []

    def work(item: int) -> None:
        given_up.wait(20)
        done.append(item)

    started = time.monotonic()
    with pytest.raises(KeyError), BackgroundWriter(work, 4, give_up=given_up.set) as write:
        for item in range(4):
            write(item)
        raise KeyError
    assert time.monotonic() - started < 5 and done == [0], "and the others are dropped"


def test_who_waits_to_give_can_be_cancelled() -> None:
    given_up = threading.Event()

    def cancel() -> None:
        raise KeyError

    with (
        pytest.raises(KeyError),
        BackgroundWriter[int](lambda _: given_up.wait(20), 1, give_up=given_up.set, check=cancel) as write,
    ):
        for item in range(9):
            write(item)


def test_ctrl_c_while_the_rest_is_worked_on_waits_for_the_thread(ctrl_c: None) -> None:
    """What is closed next, the thread uses: a crash of the whole program."""
    ended = threading.Event()
    given_up = threading.Event()

    def work(item: int) -> None:
        if item == 1:
            signal.raise_signal(signal.SIGINT)
            given_up.wait(20)
            ended.set()

    with pytest.raises(KeyboardInterrupt), BackgroundWriter(work, 4, give_up=given_up.set) as write:
        write(0)
        write(1)
    assert ended.is_set()
