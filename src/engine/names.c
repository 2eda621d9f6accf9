/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names for containers that were given none: two lists, one random number.
 */
#include "engine/names.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>

static const char *const adjectives[] = {
	"able",	   "agile",  "amber",  "ample",	 "apt",	   "bold",   "brave", "brief",	 "bright",
	"brisk",   "calm",   "candid", "clear",	 "clever", "cosy",   "crisp", "daring",	 "deft",
	"eager",   "early",  "even",   "exact",	 "fair",   "fast",   "fine",  "firm",	 "fleet",
	"fond",	   "frank",  "fresh",  "gentle", "glad",   "golden", "good",  "grand",	 "happy",
	"hardy",   "honest", "humble", "jolly",	 "keen",   "kind",   "lean",  "light",	 "lively",
	"loyal",   "lucid",  "lucky",  "merry",	 "mild",   "modest", "neat",  "nimble",	 "noble",
	"patient", "plain",  "polite", "proud",	 "quick",  "quiet",  "rapid", "ready",	 "serene",
	"sharp",   "silent", "silver", "simple", "smart",  "smooth", "sober", "solid",	 "spry",
	"steady",  "still",  "stout",  "strong", "subtle", "sunny",  "sure",  "swift",	 "tender",
	"tidy",	   "trusty", "vivid",  "warm",	 "wise",   "witty",  "young", "zealous", "zesty",
};

static const char *const surnames[] = {
	"allen",     "babbage", "backus",     "bartik",	    "berners",	 "boole",      "booth",
	"borg",	     "brooks",	"cerf",	      "chomsky",    "clarke",	 "cocke",      "codd",
	"conway",    "corbato", "cray",	      "dahl",	    "dijkstra",	 "eckert",     "engelbart",
	"estrin",    "feinler", "floyd",      "goldberg",   "gray",	 "hamilton",   "hamming",
	"hennessy",  "hoare",	"hollerith",  "holberton",  "hopper",	 "huffman",    "iverson",
	"jennings",  "johnson", "kahan",      "kahn",	    "karp",	 "kay",	       "kernighan",
	"kilburn",   "kilby",	"kleinrock",  "knuth",	    "lamarr",	 "lamport",    "leibniz",
	"licklider", "liskov",	"lovelace",   "mauchly",    "mccarthy",	 "mcilroy",    "meltzer",
	"metcalfe",  "milner",	"minsky",     "moore",	    "naur",	 "newell",     "noyce",
	"nygaard",   "pascal",	"patterson",  "perlis",	    "perlman",	 "rabin",      "ritchie",
	"rivest",    "sammet",	"shannon",    "simon",	    "snyder",	 "spence",     "stallings",
	"stearns",   "stibitz", "stroustrup", "sutherland", "tarjan",	 "teitelbaum", "thompson",
	"torvalds",  "turing",	"valiant",    "wilkes",	    "wilkinson", "wing",       "wirth",
	"zuse",
};

void name_make_random(char buf[static NAME_LEN])
{
	uint32_t r[2] = {0, 0};

	/* A short read leaves zeros: still a name, and a taken one is tried again. */
	if (getrandom(r, sizeof(r), 0) < 0)
		r[0] = 0;
	snprintf(buf, NAME_LEN, "%s_%s", adjectives[r[0] % ARRAY_LEN(adjectives)],
		 surnames[r[1] % ARRAY_LEN(surnames)]);
}
