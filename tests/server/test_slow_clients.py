"""Connections that never get a request together, and those that must not be taken for them."""

from dataclasses import dataclass, field

from server.slow_clients import SlowClients


@dataclass
class Cycle:
    response_complete: bool = False


@dataclass
class Transport:
    closed: bool = False

    def close(self) -> None:
        self.closed = True


@dataclass(eq=False)
class Client:
    transport: Transport = field(default_factory=Transport)
    cycle: Cycle | None = None


def sweeps(client: Client, *, times_s: list[float]) -> list[float]:
    """The times at which a limit of 10 seconds closes the connection."""
    slow = SlowClients(10.0)
    return [now_s for now_s in times_s if slow.sweep([client], now_s)]


def test_a_connection_without_a_request_is_closed_when_its_time_is_over() -> None:
    client = Client()
    assert sweeps(client, times_s=[0.0, 5.0, 9.9]) == []
    assert not client.transport.closed
    assert sweeps(client, times_s=[0.0, 5.0, 10.0]) == [10.0]
    assert client.transport.closed


def test_an_answered_connection_that_sends_nothing_whole_is_closed_too() -> None:
    assert sweeps(Client(cycle=Cycle(response_complete=True)), times_s=[0.0, 12.0]) == [12.0]


def test_a_request_in_work_may_take_as_long_as_it_likes() -> None:
    assert sweeps(Client(cycle=Cycle()), times_s=[0.0, 1000.0, 2000.0]) == []


def test_a_busy_connection_that_is_always_met_between_requests_stays() -> None:
    slow, client = SlowClients(10.0), Client()
    for now_s in range(100):
        client.cycle = Cycle(response_complete=True)
        assert slow.sweep([client], float(now_s)) == 0


def test_time_in_work_does_not_count() -> None:
    slow, client = SlowClients(10.0), Client(cycle=Cycle(response_complete=True))
    slow.sweep([client], 0.0)
    client.cycle = Cycle()
    slow.sweep([client], 9.0)
    client.cycle.response_complete = True
    assert slow.sweep([client], 12.0) == 0
    assert slow.sweep([client], 22.0) == 1
