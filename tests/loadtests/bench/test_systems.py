"""The servers that are compared."""

from email import message_from_bytes

from loadtests.bench.systems import PEERS, Contestant
from loadtests.inputs.request_bodies import Body

IMAGE = Body(b"\x89PNG\r\n", "image/png")


def contestant(form_field: str | None) -> Contestant:
    return Contestant("X", "", {}, lambda _: [], lambda _: {}, form_field)


def test_an_image_is_sent_bare_or_as_the_file_of_a_form() -> None:
    assert contestant(None).body(IMAGE) == IMAGE
    body = contestant("images").body(IMAGE)
    _, part = message_from_bytes(f"Content-Type: {body.content_type}\r\n\r\n".encode() + body.content).walk()
    assert (part.get_content_type(), part.get_param("name", header="content-disposition")) == ("image/png", "images")
    assert body.content.count(IMAGE.content) == 1


def test_peers_have_programs_and_names_of_their_own() -> None:
    assert all(peer.key == key for key, peer in PEERS.items())
    assert len({peer.name for peer in PEERS.values()}) == len(PEERS)
