"""The maker's half of a story: images built, releases signed, one withdrawn, one regretted."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from ..factory import shelf
from ..factory.keys import read_private_key, read_public_key
from ..factory.manifest import read_tree
from ..factory.release import draft_release
from ..factory.statement import read_statement
from ..settings import Settings
from ..store import Store
from .children import emulator
from .story import Product, StoryRelease

DAY = 86_400


@dataclass(frozen=True, slots=True)
class Maker:
    """Builds and signs in one home, with the release key that `troth init` made there."""

    settings: Settings
    store: Store
    images: Path  # where built images are kept

    def release_all(self, product: Product) -> None:
        """Every release of a product for each of its chips, withdrawals included."""
        for chip in product.chips:
            for release in product.releases:
                self.release(product, release, chip)

    def release(self, product: Product, release: StoryRelease, chip: str) -> None:
        """Sign and keep one release, dated back as the story tells."""
        now = int(time.time())
        statement = product.folder / release.statement
        draft = draft_release(
            self.image(product, release, chip).read_bytes(),
            read_tree(product.files),
            version=release.version,
            released=now - release.days_ago * DAY,
            model=product.model,
            statement=read_statement(statement) if statement.is_file() else None,
        )
        trusted = read_public_key(self.settings.keys, "release")
        signer = read_private_key(self.settings.release_key)
        kept, _ = shelf.keep(self.store, draft.sign(signer), trusted, at=now)
        if release.withdrawn_days_ago is not None:
            row = shelf.find(self.store, kept.id)
            at = now - release.withdrawn_days_ago * DAY
            shelf.withdraw(self.store, row, "a weakness was found", signer, trusted, at=at)

    def image(self, product: Product, release: StoryRelease, chip: str) -> Path:
        """The release's own image, or one that the emulator builds; built once."""
        if release.app:
            return release.app
        path = self.images / f"{product.model}-{release.version}-{chip}.bin"
        if not path.exists():
            words = ("--profile", product.profile, "--version", release.version)
            emulator("image", "--chip", chip, *words, "--name", product.model, "-o", str(path))
        return path
