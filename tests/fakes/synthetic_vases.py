"""A vase of the synthetic world with other facts than were drawn for it."""

from dataclasses import replace

from vaserl.synthetic.vase import VaseTraits


def with_facts(traits: VaseTraits, **facts: object) -> VaseTraits:
    return replace(traits, facts=replace(traits.facts, **facts))  # type: ignore[arg-type]
