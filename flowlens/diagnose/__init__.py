"""Which filter refused a connection: what the log proves, what it makes likely, and what it cannot tell.

::

    evidence    what the reductions found, as numbers
    spans       records of a key on a time line
    cases       the refused conversations, one case for each interface that refused it
    homes       subnets, and which interfaces have a security group at all
    around      what is known of each case from its own conversation: one function a question
    facts       and from what was accepted with the same values elsewhere
    places      what the other interfaces of a subnet tell
    codes       verdicts, certainties, and what a ruling is made of
    by_log, by_rules, rulings
                what can be said, as data: verdict, certainty, candidates, why
    verdicts    the ruling for each case by the log: the decision tables
    configured  what the rules say to each refused packet
    agreement   the ruling by log and rules together
    remedies    what would open the way, and what surfaces then
    report      the table
    crowds      scans of the internet in one row
    outcomes    what became of conversations of which nothing was refused
    explain     a row as a paragraph
    course      all records of the conversation of a row, for a picture
    judging     all of it together
"""

from flowlens.diagnose.codes import Certainty, Verdict
from flowlens.diagnose.course import Asked, Course
from flowlens.diagnose.evidence import Found
from flowlens.diagnose.explain import explanation
from flowlens.diagnose.judging import Scope, diagnose, diagnose_conversation
from flowlens.diagnose.outcomes import Question

__all__ = [
    "Asked",
    "Certainty",
    "Course",
    "Found",
    "Question",
    "Scope",
    "Verdict",
    "diagnose",
    "diagnose_conversation",
    "explanation",
]
