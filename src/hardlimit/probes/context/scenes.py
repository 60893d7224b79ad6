"""The words of the haystack: scenes, and sentence patterns that fit any of them; written for this package."""

from hardlimit.core import Value


class Scene(Value, frozen=True):
    """One place of the story and what belongs there.

    Args:
        where: the place, as it stands after a preposition that `where` carries itself.
        people: who is there, never by name.
        things: plural nouns.
        tool: singular nouns, something to hold.
        works: what is done there, in the past tense.
        signs: what the place sounds, smells or looks like, as a clause.
    """

    where: tuple[str, ...]
    people: tuple[str, ...]
    things: tuple[str, ...]
    tools: tuple[str, ...]
    works: tuple[str, ...]
    signs: tuple[str, ...]


def _scene(text: str) -> Scene:
    parts = [tuple(item.strip() for item in line.split(";")) for line in text.strip().splitlines()]
    where, people, things, tools, works, signs = parts
    return Scene(where=where, people=people, things=things, tools=tools, works=works, signs=signs)


SCENES: tuple[Scene, ...] = tuple(
    _scene(text)
    for text in (
        """in the walled garden; behind the greenhouse; along the gravel path; under the pear trees
        the gardener; the apprentice; the old widow; the seed merchant; the beekeeper
        seedlings; cuttings; cabbages; flower pots; beanpoles; bulbs; gloves; sieves
        a rake; a watering can; a trowel; a wheelbarrow; a pair of shears; a ball of twine
        dug a new bed; tied up the tomatoes; turned the compost; pruned the plum tree; sorted the seeds; burnt leaves
        bees hummed over the lavender; the soil smelled of rain; a robin watched; the lawn shone with dew""",
        """in the clock shop; at the long workbench; behind the counter; in the back room
        the clockmaker; the apprentice; the travelling salesman; the cleaning woman; the landlord
        springs; brass wheels; pendulums; watch cases; dials; screws; chains; keys
        a pair of tweezers; a magnifying glass; a tiny hammer; an oil can; a file; a soft brush
        wound the cuckoo clocks; polished a pendulum; oiled the gears; bent a hand straight; hung a dial
        everything ticked; the air smelled of oil; dust hung in a beam of light; a chime rang late""",
        """at the water mill; beside the mill pond; on the loft ladder; under the big wheel
        the miller; the carter; the miller's aunt; the rat catcher; the boy from the village
        sacks; barrels; ropes; pulleys; sieves; baskets; hatches; buckets
        a shovel; a lantern; a scoop; a coil of rope; a wooden mallet; a broom
        greased the axle; opened the sluice; weighed the grain; patched a sack; cleared the weir; stacked the barrels
        the wheel groaned; flour hung in the air; ducks quarrelled on the pond; the floor trembled""",
        """at the railway station; on the far platform; in the waiting room; next to the signal box
        the stationmaster; the porter; the signalman; the widow with the basket; the ticket clerk
        trunks; timetables; lamps; parcels; benches; tickets; crates; suitcases
        a whistle; a lantern; a luggage cart; a stamp; a red flag; a bunch of keys
        swept the platform; stamped the tickets; lit the lamps; sorted the parcels; loaded the cart
        steam drifted across the rails; the wires sang; somebody coughed behind a newspaper; a bell rang""",
        """in the reading room; between the shelves; at the long oak table; on the library stairs
        the librarian; the student; the bookbinder; the retired captain; the caretaker
        atlases; dictionaries; index cards; ledgers; pamphlets; volumes; letters; maps
        a pencil; a ladder; a paper knife; a reading lamp; a pot of glue; a magnifying glass
        catalogued a donation; dusted the atlases; mended a torn spine; copied a map; shelved the returns
        pages rustled; the radiators knocked; the varnish smelled of oranges; rain ran down the tall windows""",
        """in the orchard; by the cider press; at the end of the ladder row; in the apple loft
        the orchard keeper; the picker; the cooper; the grandmother; the hired hand
        apples; pears; crates; ladders; branches; baskets; barrels; jars
        a basket; a pruning knife; a ladder; a wooden rake; a canvas apron; a pail
        picked the last pears; propped a branch; pressed cider; counted the crates; grafted a sapling
        wasps circled the press; the grass was wet; the branches creaked; a sweet smell lay over everything""",
        """at the lighthouse; on the spiral stairs; by the landing stage; in the lamp room
        the lighthouse keeper; the relief keeper; the supply skipper; the keeper's niece; the painter
        lenses; shutters; logbooks; oilskins; signal flags; flares; cables; barometers
        a telescope case; a rag; a logbook; a paintbrush; a storm lantern; a can of oil
        polished the lens; wrote up the log; painted the railing; checked the barometer; coiled a cable
        waves boomed under the rocks; gulls screamed; salt crusted the panes; the beam swept over the dark water""",
        """at the inn; in the taproom corner; beside the stove; under the painted sign
        the innkeeper; the cook; the stable boy; the stranger; the tinker
        mugs; candles; plates; blankets; stools; kettles; loaves; curtains
        a ladle; a candle; a poker; a tray; a cloth; a copper kettle
        stirred the soup; poked the fire; wiped the tables; aired the blankets; lit the candles
        the fire crackled; onions hissed in a pan; rain drummed on the shutters; somebody hummed in the kitchen""",
        """at the market; behind the pottery stall; under the striped awning; by the fountain
        the potter; the spice seller; the flower girl; the knife grinder; the inspector
        bowls; melons; ribbons; onions; baskets; candles; lemons; bundles of herbs
        a pair of scales; a basket; a chalk board; a coin purse; a striped umbrella; a handcart
        arranged the bowls; haggled over lemons; counted coins; chalked up a price; wrapped a vase; rolled up the awning
        bells rang noon; pepper tickled the nose; wheels rattled over cobbles; voices rose and sank""",
        """by the canal lock; on the towpath; in the hut by the lock; at the coal wharf
        the lock keeper; the bargee; the bargee's daughter; the surveyor; the angler
        barges; mooring lines; bollards; paddles; oars; buckets; life belts; chains
        a boathook; a windlass; a pole; a tin mug; a notebook; a tarpaulin
        opened the sluices; cranked the paddles; pumped out the bilge; collected the toll; cleared the reeds
        water gurgled in the lock; a heron stood still; mist lay on the towpath; the willows trailed in the current""",
        """in the weaving shed; at the old loom; by the dye vats; in the yarn store
        the weaver; the dyer; the foreman; the spinner; the wool buyer
        skeins; spindles; bobbins; shuttles; rugs; scarves; bales; threads
        a shuttle; a comb; a wooden paddle; a pattern book; a spool; a pair of scissors
        threaded the loom; stirred the vat; rinsed the wool; knotted a fringe; rewound a bobbin; inspected the cloth
        the looms clattered; steam rose from the vats; lint floated everywhere; the drains ran purple""",
        """in the printing shop; by the iron press; at the type case; in the paper store
        the printer; the typesetter; the proofreader; the errand boy; the poet
        posters; pamphlets; proofs; almanacs; envelopes; galleys; stacks of paper; handbills
        a composing stick; an ink roller; a proof sheet; a pot of paste; a ruler; a mallet
        inked the rollers; corrected a proof; folded the sheets; cleaned the type; cut the paper; hung up the posters
        the press thumped; ink stained the benches; sheets fluttered on the line; the lamp smoked""",
        """on the winter road; at the crossroads inn; by the milestone; in the snowed-in barn
        the coachman; the pedlar; the road mender; the postmistress; the shepherd
        sledges; blankets; horseshoes; bells; reins; fence posts; lanterns; harnesses
        a whip; a spade; a fur cap; a lantern; a flask; a woollen rug
        shovelled the drift; harnessed the mare; thawed the pump; strewed sand; checked the runners
        snow squeaked under the runners; the horses steamed; the fir trees cracked; bells jingled far off""",
        """in the attic; under the skylight; beside the old trunk; at the top of the stairs
        the nephew; the heiress; the antique dealer; the maid; the chimney sweep
        trunks; hats; mirrors; letters; dolls; picture frames; lampshades; puppets
        a torch; a feather duster; a crowbar; a label; a tape; a cardboard box
        opened a trunk; sorted the letters; wrapped the mirrors; labelled the boxes; brushed a hat; repaired a puppet
        the rafters creaked; cobwebs swayed; the skylight rattled; everything smelled of camphor""",
    )
)
"""Fourteen scenes; the story wanders among them."""

MOMENTS = (
    "In the early morning", "Towards noon", "Late in the afternoon", "On a grey Tuesday", "After the storm",
    "In April",
    "At the end of the harvest", "On the first cold evening", "Shortly after breakfast", "When the bell had rung",
    "In the third week of September", "During the long drought", "While the kettle boiled", "Before sunrise",
    "On the eve of the fair", "As the fog lifted", "Toward the close of the season", "An hour later",
    "That same evening", "In the quiet after lunch", "On Sunday", "By the middle of the week", "Under a pale sky",
    "As soon as the rain stopped", "Some weeks afterwards", "With the wind turning", "At half past six",
)  # fmt: skip
QUALITIES = (
    "patient", "stubborn", "cheerful", "careful", "sleepy", "absent-minded", "proud", "nervous", "silent", "curious",
    "thrifty", "clumsy", "thoughtful", "brisk", "gloomy", "gentle", "suspicious", "hopeful", "weary", "talkative",
)  # fmt: skip
CONDITIONS = (
    "dusty", "heavy", "crooked", "unused", "borrowed", "damp", "rusty", "scattered", "neatly stacked", "forgotten",
    "half-broken", "green", "well-worn", "yellow", "tangled", "cheap", "precious", "mouldy", "missing", "spare",
)  # fmt: skip
MANNERS = (
    "without hurrying", "with much care", "as if nothing had happened", "in silence", "for the third attempt",
    "with a shrug", "under protest", "more slowly than usual", "with numb fingers", "humming an old tune",
    "to general surprise", "against all advice", "with a sigh of relief", "one after another", "by lamplight",
    "from top to bottom", "until it felt natural", "with unexpected skill", "rather badly", "for no clear reason",
)  # fmt: skip
CAUSES = (
    "because the weather would not hold", "since nobody else had thought of it", "although the hour was late",
    "because the old method had failed", "so that the others could rest", "as the almanac advised",
    "since the delivery was overdue", "though it hardly seemed worthwhile", "because a promise is a promise",
    "while the light was still good", "before the frost could do any harm", "in case the weather turned",
    "as had been agreed in the spring", "since the price had doubled", "because habit is stronger than reason",
    "although the roof was leaning badly", "while there was still some warmth in the air", "in spite of a sore back",
)  # fmt: skip
THOUGHTS = (
    "that patience is a kind of strength", "that nothing is ever quite finished", "that old methods die slowly",
    "that the summer had been too short", "that a good rope outlasts a bad temper", "that silence has its uses",
    "that luck prefers the prepared", "that the smallest job is often the longest", "that rain is never convenient",
    "that somebody ought to write it down", "that the accounts would balance after a fashion",
    "that most quarrels begin with a misunderstanding", "that next year would be different", "that age brings economy",
    "that the wind had changed for good", "that even a poor plan is better than none", "that memory is a bad ledger",
)  # fmt: skip
NUMBERS = ("three", "five", "six", "seven", "nine", "a dozen", "eleven", "fifteen", "some twenty", "a few", "several")

OPENINGS = (
    "{moment}, {person} {work} {where}.",
    "{moment}, {where}, {sign}, and {person} {work} {cause}.",
    "{moment} there were {number} {condition} {things} {where}, and {person} was too {quality} to ignore them.",
    "{Person}, who was {quality} by nature, {work} {manner}.",
    "{moment}, {sign}; {person} reached for {tool} and said nothing.",
    "Nobody {where} could remember a more {quality} person than {person}.",
)
MIDDLES = (
    "The {things} were {condition}, and {number} of them had to be replaced.",
    "{Person} borrowed {tool} from {other} and {work} {manner}.",
    "{Sign}, but {person} only looked at the {things}.",
    "{Other} {work} {cause}.",
    "Then {person} {work} {manner}, and {other} {secondwork}.",
    '"{Number} {things} are {condition}," said {other}, "and the rest are no better."',
    "{Person} put down {tool}, counted the {things}, and came to {number}.",
    "It was {quality} work, and {other} {work} {manner}.",
    "Between the {things} and the {secondthings} there was hardly room for {tool}.",
    "{Other} disliked {condition} {things}, and {person} knew it.",
    "{Sign}, and {person} {work} {cause}.",
    "Without {tool} it was hopeless, so {other} {work} {cause}.",
    "{Person} showed {other} how the {things} were kept, {manner}.",
    '"Bring me {tool}," {person} muttered, "and leave the {condition} {things} where they are."',
    "For {number} weeks {other} had hoped for {condition} {things}; now there were too many.",
    "{Person} {work}, {secondwork}, and finally sat down among the {things}.",
    "The {secondthings} stayed {condition} {cause}.",
)
CLOSINGS = (
    "{Person} believed {thought}.",
    "In the end {other} {work}, and it was agreed {thought}.",
    "{Sign}; it occurred to {person} {thought}.",
    "So the {things} remained {condition}, and {other} {work} {manner}.",
    "{Other} concluded, {manner}, {thought}.",
    "It proved {thought}, or so {person} told {other}.",
)
