"""Readers that stall, and those that must not be taken for them."""

from dataclasses import dataclass, field

from server.security.stalled import StalledReaders


@dataclass
class Transport:
    waiting_bytes: int = 0
    aborted: bool = False

    def get_write_buffer_size(self) -> int:
        return self.waiting_bytes

    def abort(self) -> None:
        self.aborted = True


@dataclass(eq=False)
class Client:
    transport: Transport = field(default_factory=Transport)


def test_a_client_that_takes_nothing_is_cut_off_when_its_time_is_over() -> None:
    stalled, client = StalledReaders(10.0), Client(Transport(waiting_bytes=70_000))
    assert [stalled.sweep([client], now_s) for now_s in (0.0, 5.0, 9.9)] == [0, 0, 0]
    assert not client.transport.aborted
    assert stalled.sweep([client], 10.0) == 1
    assert client.transport.aborted


def test_a_slow_reader_may_go_on() -> None:
    stalled, client = StalledReaders(10.0), Client(Transport(waiting_bytes=70_000))
    for now_s in range(0, 100, 5):
        client.transport.waiting_bytes -= 100
        assert stalled.sweep([client], float(now_s)) == 0


def test_a_client_for_whom_nothing_waits_may_wait_itself() -> None:
    stalled, client = StalledReaders(10.0), Client()
    assert [stalled.sweep([client], now_s) for now_s in (0.0, 1000.0)] == [0, 0]


def test_time_counts_from_the_last_byte_taken() -> None:
    stalled, client = StalledReaders(10.0), Client(Transport(waiting_bytes=500))
    stalled.sweep([client], 0.0)
    client.transport.waiting_bytes = 400
    assert [stalled.sweep([client], now_s) for now_s in (9.0, 18.9, 19.0)] == [0, 0, 1]
