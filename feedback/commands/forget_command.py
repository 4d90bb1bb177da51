"""`python -m feedback forget`: erases what is recorded of one request or of one image."""

from __future__ import annotations

import argparse

from feedback.commands.command_options import Commands, add_feedback, add_images, image_store, open_database
from feedback.erasure.forgetting import Forgotten, forget_image, forget_request
from models.errors import NotFound


def add_parser(commands: Commands) -> None:
    """Adds the command."""
    command = commands.add_parser(
        "forget", help="erase what is recorded of a request or an image, also from free pages"
    )
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("--request", metavar="ID", help="the response's X-Request-Id")
    which.add_argument("--image", metavar="SHA256", type=str.lower, help="of the image's bytes as they were sent")
    add_feedback(command)
    add_images(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> str:
    """Erases; tells what.

    Raises:
        NotFound: there is nothing of that name.
        TandemError: it cannot be erased.
    """
    images = image_store(arguments)
    database = open_database(arguments)
    try:
        if arguments.request is not None:
            found = forget_request(database, arguments.request, images)
        else:
            found = forget_image(database, arguments.image, images)
    finally:
        database.close()
    if not found.decisions and not found.images:
        raise NotFound(f"nothing is recorded of {arguments.request or arguments.image!r}")
    return _described(found)


def _described(found: Forgotten) -> str:
    text = f"erased {found.decisions} decisions and {found.images} images"
    if found.shared:
        text += f"; {found.shared} images are kept, since other requests sent them, too: `--image` erases them"
    return text
