"""words of `python -m training` ──▶ a training: the commands, and what each of them runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from models.bundle.input_spec import InputSpec
from models.bundle.loading import Bundle
from models.bundle.store import resolve
from models.runtime.embedding_files import DEFAULT_ROOT as EMBEDDINGS
from models.runtime.embedding_files import EmbeddingCache
from training.backbones.names import DEFAULT as BACKBONE
from training.backbones.names import SYNTAX as BACKBONES
from training.clean import clean_command as clean
from training.cli import data_options, head_options
from training.cli.console_summary import summary
from training.cli.experiment_tracking import add_tracking, check_tracking, log_bundle
from training.cli.learning_commands import add_parsers as add_learning
from training.cli.overview import tell
from training.compare.compare_command import add_parser as add_compare
from training.data import fashion_mnist, folder
from training.data.dataset import Dataset, subset
from training.diffusion import augment_command as augment
from training.network.presets import CHECKPOINT, PRESETS
from training.quantization.precision_trial import OTHERS
from training.tables import tabular
from training.tables.table import read
from training.tuning.tuning_plan import TuningPlan
from training.workflows.refit import RefitPlan, refit

WORK = Path("build") / "training"


def add_commands(commands: data_options.Commands) -> None:
    """Adds the commands that fit something."""
    _add_trainings(commands)
    _add_transfers(commands)
    _add_backbones(commands)
    _add_updates(commands)
    add_learning(commands)
    clean.add_parser(commands)
    augment.add_parser(commands)
    add_compare(commands)


def _add_trainings(commands: data_options.Commands) -> None:
    """Adds the commands that train a network."""
    command = commands.add_parser("fashion-mnist", help="70,000 small pictures of clothes in 10 classes")
    command.add_argument("--data", type=Path, help="folder with the four IDX files")
    command.set_defaults(run=_train, load=lambda given: fashion_mnist.load(given.data), name=fashion_mnist.NAME)
    _add_network(command, preset="best")

    command = data_options.add_folder_command(commands)
    data_options.add_name(command)
    command.add_argument(
        "--image-size", type=data_options.side, default=64, metavar="PIXELS", help="side (default: %(default)s)"
    )
    command.add_argument(
        "--mirror", action="store_true", help="mirrored images are as likely as the images: clothes yes, digits no"
    )
    command.set_defaults(run=_train, load=_load_folder)
    _add_network(command, preset="quick")
    data_options.add_fit(command)


def _add_network(command: argparse.ArgumentParser, *, preset: str) -> None:
    command.add_argument("--preset", choices=sorted(PRESETS), default=preset, help="default: %(default)s")
    data_options.add_network_kind(command)
    command.add_argument("--resume", action="store_true", help="continue after the last whole epoch")
    head_options.add_head(command)
    data_options.add_data(command)
    add_tracking(command)


def _add_transfers(commands: data_options.Commands) -> None:
    """Adds the commands that fit a head on a pretrained network."""
    table = data_options.add_table_command(commands)
    table.set_defaults(run=_transfer, load=_stream_table)
    images = commands.add_parser(
        "pretrained", help="your images, by a network that others have fitted: minutes, no GPU"
    )
    images.add_argument("data", metavar="DATA", help=data_options.DATA)
    data_options.add_links(images)
    images.set_defaults(run=_transfer, load=_stream_data)
    for command in (table, images):
        data_options.add_name(command)
        head_options.add_head(command)
        data_options.add_data(command)
        data_options.add_backbone(command)
        data_options.add_tuning(command)
        add_tracking(command)


def _add_backbones(commands: data_options.Commands) -> None:
    """Adds the command that says which pretrained network suits the data."""
    command = commands.add_parser("backbones", help="which pretrained network to take for your images: minutes")
    command.add_argument("data", metavar="DATA", help=data_options.DATA)
    data_options.add_links(command)
    command.add_argument(
        "--backbone", dest="backbones", nargs="+", default=[BACKBONE], metavar="NAME",
        help=f"those to compare, each one of {BACKBONES} (default: %(default)s)",
    )  # fmt: skip
    data_options.add_fit(command, None)
    data_options.add_limit(command)
    command.add_argument("--seed", type=data_options.seed, default=0, help="of split and folds")
    command.set_defaults(run=_backbones, name="backbones")


def _add_updates(commands: data_options.Commands) -> None:
    """Adds the commands that make the next version of a bundle."""
    command = commands.add_parser("head", help="a head more, or another one, on a bundle's network: seconds")
    command.add_argument("bundle", type=Path, help="its directory, or a store entry, whose champion is taken")
    command.add_argument("--table", required=True, type=Path, metavar="FILE", help="CSV or parquet, as for `table`")
    data_options.add_table(command)
    command.add_argument(
        "--name", dest="head_name", required=True, type=data_options.name_of, metavar="HEAD",
        help="the head's; one of the bundle's of this name is replaced",
    )  # fmt: skip
    head_options.add_head(command)
    data_options.add_data(command)
    command.set_defaults(run=_refit, out=None)
    add_tracking(command)

    command = commands.add_parser("variants", help="a bundle's embedder in other precisions, as its next version")
    command.add_argument("bundle", type=Path, help="its directory, or a store entry, whose champion is taken")
    command.add_argument("data", metavar="DATA", help=f"what it was made of: {data_options.DATA}")
    data_options.add_links(command)
    command.add_argument("--precisions", nargs="+", choices=OTHERS, default=OTHERS, help="default: all of these")
    data_options.add_limit(command)
    command.add_argument("--out", type=Path, metavar="STORE", help="default: the store that the bundle is in")
    command.set_defaults(run=_upgrade)
    add_tracking(command)


# Modules that need torch are imported where they run: the import takes seconds, and `head` does without it.


def _train(arguments: argparse.Namespace) -> Path:
    from training.workflows.train import TrainPlan, train  # noqa: PLC0415

    check_tracking(arguments.mlflow)
    load: Callable[[argparse.Namespace], Dataset] = arguments.load
    dataset = _limited(load(arguments), arguments)
    plan = TrainPlan(
        hyperparameters=PRESETS[arguments.preset].of(arguments.network),
        preset=arguments.preset,
        store=arguments.out,
        work=WORK / arguments.name,
        head=head_options.head_plan(arguments, dataset),
        resume=arguments.resume,
    )
    return train(dataset, plan)


def _transfer(arguments: argparse.Namespace) -> Path:
    from training.backbones.names import load_backbone  # noqa: PLC0415 (imports torch)
    from training.workflows.transfer import TransferPlan, transfer  # noqa: PLC0415

    check_tracking(arguments.mlflow)
    backbone = load_backbone(arguments.backbone)
    print(backbone.license_note)
    load: Callable[[argparse.Namespace, InputSpec], Dataset] = arguments.load
    dataset = _limited(load(arguments, data_options.fitted(backbone.input, arguments)), arguments)
    head = head_options.head_plan(arguments, dataset)
    tuning = TuningPlan(arguments.tune, arguments.tune_minutes)
    return transfer(dataset, backbone.network, TransferPlan(arguments.out, backbone.name, head, tuning=tuning))


def _backbones(arguments: argparse.Namespace) -> None:
    from training.cli.backbone_table import backbone_table  # noqa: PLC0415
    from training.workflows.backbone_comparison import compare_backbones  # noqa: PLC0415

    def load(spec: InputSpec) -> Dataset:
        return _limited(_stream_data(arguments, data_options.fitted(spec, arguments)), arguments)

    print(backbone_table(compare_backbones(load, arguments.backbones, seed=arguments.seed)))


def _refit(arguments: argparse.Namespace) -> Path:
    check_tracking(arguments.mlflow)
    bundle = Bundle.open(resolve(arguments.bundle))
    known = EmbeddingCache(EMBEDDINGS, bundle.embedder("fp32"), bundle.manifest.input)
    table = read(arguments.table, data_options.ask(arguments))
    dataset = tabular.stream(table, name=bundle.manifest.name, spec=bundle.manifest.input, known=known)
    dataset = _limited(dataset, arguments)
    head = head_options.head_plan(arguments, dataset, arguments.head_name)
    return refit(bundle, dataset, RefitPlan(head, arguments.out or bundle.path.parent.parent))


def _upgrade(arguments: argparse.Namespace) -> Path:
    from training.workflows.upgrade import upgrade  # noqa: PLC0415

    check_tracking(arguments.mlflow)
    bundle = Bundle.open(resolve(arguments.bundle))
    manifest = bundle.manifest
    dataset = data_options.stream_data(arguments.data, manifest.name, manifest.input, follow=arguments.follow)
    arguments.seed = int(manifest.training.get("seed", 0))
    dataset = _limited(dataset, arguments)
    return upgrade(bundle, dataset, arguments.precisions, arguments.out or bundle.path.parent.parent)


def _load_folder(arguments: argparse.Namespace) -> Dataset:
    return folder.load(
        arguments.directory,
        name=arguments.name,
        image_size=arguments.image_size,
        mirror=arguments.mirror,
        fit=arguments.fit,
        follow=arguments.follow,
    )


def _stream_data(arguments: argparse.Namespace, spec: InputSpec) -> Dataset:
    return data_options.stream_new(arguments.data, arguments.name, spec, follow=arguments.follow)


def _stream_table(arguments: argparse.Namespace, spec: InputSpec) -> Dataset:
    return tabular.stream(read(arguments.table, data_options.ask(arguments)), name=arguments.name, spec=spec)


def _limited(dataset: Dataset, arguments: argparse.Namespace) -> Dataset:
    """Prints what was read; returns the data set, or a part of it with --limit."""
    tell(dataset)
    return dataset if arguments.limit is None else subset(dataset, arguments.limit, arguments.seed)


def way_on(arguments: argparse.Namespace) -> str:
    """What a person can do who interrupted a command."""
    if arguments.run is not _train:
        return "no result was written; the same command goes on from the embeddings that are kept, if there are any"
    if any((WORK / arguments.name).rglob(CHECKPOINT)):  # the network's, or its teacher's
        return "the same command with --resume continues after the last whole epoch"
    return "no epoch was finished, so there is nothing to --resume: start again"


def tell_result(path: Path, arguments: argparse.Namespace) -> None:
    """Prints the figures of the fitted head, and where the bundle is; logs it where that was asked for.

    Raises:
        TrackingError: it cannot be logged.
    """
    head_name = getattr(arguments, "head_name", None)
    manifest = Bundle.open(path).manifest
    head = next((head for head in manifest.heads if head.name == head_name), manifest.default_head)
    for line in summary(manifest, head):
        print(line)
    print(f"wrote {path}; serve it with TANDEM_BUNDLE={path}")
    if arguments.mlflow is not None:
        print(log_bundle(path, arguments.mlflow))
