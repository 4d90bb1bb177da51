"""The systems under test."""

from email import message_from_bytes

from loadtests.bench.systems import PEERS, System
from loadtests.inputs.request_bodies import Body

IMAGE = Body(b"\x89PNG\r\n", "image/png")


def system(form_field: str | None) -> System:
    return System("X", "", {}, lambda _: [], lambda _: {}, form_field)


def test_an_image_is_sent_bare_or_as_the_file_of_a_form() -> None:
    assert system(None).body(IMAGE) == IMAGE
    body = system("images").body(IMAGE)
    _, part = message_from_bytes(f"Content-Type: {body.content_type}\r\n\r\n".encode() + body.content).walk()
    assert (part.get_content_type(), part.get_param("name", header="content-disposition")) == ("image/png", "images")
    assert body.content.count(IMAGE.content) == 1


def test_peers_have_programs_and_names_of_their_own() -> None:
    assert len({peer.arguments for peer in PEERS.values()}) == len(PEERS)
    assert len({peer.name for peer in PEERS.values()}) == len(PEERS)
