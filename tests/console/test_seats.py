"""One token opens a world's page once, for one browser; a new one takes the page over."""

from testbed.console.seats import Seats


def test_a_token_is_exchanged_once() -> None:
    seats = Seats()
    token = seats.issue("w")
    session = seats.exchange("w", token)
    assert session
    assert seats.holds("w", session)
    assert seats.exchange("w", token) is None
    assert seats.holds("w", session)  # whoever tries the used link changes nothing


def test_a_wrong_token_opens_nothing_and_uses_nothing_up() -> None:
    seats = Seats()
    token = seats.issue("w")
    assert [seats.exchange("w", wrong) for wrong in ("", "x", token[:-1], token + "x", "тест")] == [None] * 5
    assert not seats.taken("w")
    assert seats.exchange("w", token)


def test_each_world_has_its_own() -> None:
    seats = Seats()
    one, other = seats.issue("one"), seats.issue("other")
    assert seats.exchange("other", one) is None
    session = seats.exchange("one", one)
    assert (seats.holds("one", session), seats.holds("other", session), seats.holds("none", session)) == (
        True,
        False,
        False,
    )
    assert seats.exchange("other", other) != session


def test_nobody_holds_an_empty_seat() -> None:
    seats = Seats()
    seats.issue("w")
    assert [seats.holds("w", session) for session in (None, "", "x")] == [False] * 3


def test_a_new_token_takes_the_seat_over_and_the_former_browser_learns_it() -> None:
    lost: list[str] = []
    seats = Seats()
    seats.on_left(lost.append)
    first = seats.exchange("w", seats.issue("w"))
    assert lost == []
    second_token = seats.issue("w")
    assert seats.holds("w", first)  # until somebody uses it
    second = seats.exchange("w", second_token)
    assert (seats.holds("w", first), seats.holds("w", second), lost) == (False, True, ["w"])


def test_a_newer_token_replaces_one_that_nobody_has_used() -> None:
    seats = Seats()
    old, new = seats.issue("w"), seats.issue("w")
    assert seats.exchange("w", old) is None
    assert seats.exchange("w", new)
