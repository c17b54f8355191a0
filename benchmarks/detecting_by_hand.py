"""What the detectors ask of the records, by hand: the contacts, and the units that each detector looks at.

The tables are the same as those of flowlens: `flows` and `places` with integer codes for words, and the contacts made
of both as `ground`. So what is compared is the SQL that comes out of Ibis with SQL that someone writes who knows
DuckDB.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CONTACTS", "units"]

# What a record tells of its conversation, as bits: forward is from the lower end to the higher one.
_OPENS = "CASE WHEN (flags & 2) = 0 THEN 0 WHEN forward <> ((flags & 16) > 0) THEN 1 ELSE 2 END"
_RESETS = "CASE WHEN (flags & 4) = 0 THEN 0 WHEN forward THEN 8 ELSE 16 END"
_ANSWERS = "CASE WHEN (flags & 18) <> 18 THEN 0 WHEN forward THEN 32 ELSE 64 END"
_PASSED = "CASE WHEN rejected THEN CASE WHEN forward THEN 512 ELSE 1024 END WHEN forward THEN 128 ELSE 256 END"

CONTACTS = f"""
    WITH windows AS (
        SELECT interface_id AS seen_at,
               CASE WHEN max("end" - start) > 900 THEN 1
                    WHEN count(*) FILTER ("end" - start > 90) > 0.01 * count("end" - start) THEN 600
                    ELSE 60 END AS resolution
        FROM flows WHERE srcaddr IS NOT NULL GROUP BY interface_id
    ),
    traffic AS (
        SELECT *, coalesce(tcp_flags, 0) AS flags, coalesce(action = 1, false) AS rejected,
               srcaddr < dstaddr OR (srcaddr = dstaddr AND coalesce(srcport <= dstport, true)) AS forward
        FROM flows WHERE srcaddr IS NOT NULL
    ),
    records AS (
        SELECT CASE WHEN forward THEN srcaddr ELSE dstaddr END AS a,
               CASE WHEN forward THEN srcport ELSE dstport END AS a_port,
               CASE WHEN forward THEN dstaddr ELSE srcaddr END AS b,
               CASE WHEN forward THEN dstport ELSE srcport END AS b_port,
               protocol, interface_id, forward, start, "end", coalesce(packets, 0) AS packets,
               coalesce(bytes, 0) AS bytes,
               resolution,
               greatest(CASE protocol WHEN 6 THEN 350 WHEN 17 THEN 180 ELSE 600 END, 2 * resolution) AS idle,
               ({_OPENS}) | ({_RESETS}) | ({_ANSWERS}) | ({_PASSED}) AS signs
        FROM traffic JOIN windows ON interface_id IS NOT DISTINCT FROM seen_at
    ),
    lasting AS (
        SELECT a, a_port, b, b_port, protocol FROM records GROUP BY ALL HAVING max("end") - min(start) > max(idle)
    ),
    begun AS (
        SELECT r.*, coalesce(start - max("end") OVER before > idle, false)::BIGINT AS begins
        FROM records r SEMI JOIN lasting l
            ON r.a = l.a AND r.b = l.b AND r.a_port = l.a_port AND r.b_port = l.b_port AND r.protocol = l.protocol
        WINDOW before AS (
            PARTITION BY a, a_port, b, b_port,
            protocol ORDER BY start ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )
    ),
    numbered AS (
        SELECT r.*, 0::BIGINT AS number FROM records r ANTI JOIN lasting l
            ON r.a = l.a AND r.b = l.b AND r.a_port = l.a_port AND r.b_port = l.b_port AND r.protocol = l.protocol
        UNION ALL BY NAME
        SELECT * EXCLUDE begins, (sum(begins) OVER (
            PARTITION BY a, a_port, b, b_port, protocol ORDER BY start
            RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ))::BIGINT AS number
        FROM begun
    ),
    seen AS (
        SELECT a, a_port, b, b_port, protocol, number, interface_id, max("end") AS last, count(*) AS records,
               min(start) FILTER (forward) AS first_forward, min(start) FILTER (NOT forward) AS first_backward,
               coalesce(sum(packets) FILTER (forward), 0) AS packets_forward,
               coalesce(sum(packets) FILTER (NOT forward), 0) AS packets_backward,
               coalesce(sum(bytes) FILTER (forward), 0) AS bytes_forward,
               coalesce(sum(bytes) FILTER (NOT forward), 0) AS bytes_backward,
               bit_or(signs) AS signs, max(resolution) AS resolution
        FROM numbered GROUP BY a, a_port, b, b_port, protocol, number, interface_id
    ),
    conversations AS (
        SELECT a, a_port, b, b_port, protocol, min(interface_id) AS interface_id, max(last) AS last,
               sum(records)::BIGINT AS records, min(first_forward) AS first_forward,
               min(first_backward) AS first_backward,
               max(packets_forward)::BIGINT AS packets_forward, max(packets_backward)::BIGINT AS packets_backward,
               max(bytes_forward)::BIGINT AS bytes_forward, max(bytes_backward)::BIGINT AS bytes_backward,
               bit_or(signs) AS signs, max(resolution) AS resolution
        FROM seen GROUP BY a, a_port, b, b_port, protocol, number
    ),
    hints AS (
        SELECT *, least(a_port, b_port) AS low, greatest(a_port, b_port) AS high,
               first_forward IS NOT NULL AND first_backward IS NOT NULL AS two_sided,
               (signs & 1 > 0) <> (signs & 2 > 0) AS by_flags,
               two_sided AND abs(first_forward - first_backward) > resolution AS by_order,
               low <> high AND (low <= 1023 OR (high >= 32768 AND low < 32768)) AS by_ports,
               (signs & 512 > 0) <> (signs & 1024 > 0) AND (signs & 128 > 0) <> (signs & 256 > 0)
                   AND (signs & 512 > 0) <> (signs & 128 > 0) AS by_action
        FROM conversations
    ),
    directed AS (
        SELECT *,
               CASE WHEN by_flags THEN signs & 1 > 0 WHEN by_order THEN first_forward < first_backward
                    WHEN by_ports THEN a_port > b_port WHEN NOT two_sided THEN first_forward IS NOT NULL
                    WHEN by_action THEN signs & 128 > 0 ELSE true END AS from_a,
               coalesce(by_flags OR by_order OR by_ports OR NOT two_sided OR by_action, false) AS sure
        FROM hints
    ),
    told AS (
        SELECT *, signs & (CASE WHEN from_a THEN 512 ELSE 1024 END) > 0 AS request_refused,
               signs & (CASE WHEN from_a THEN 256 ELSE 128 END) > 0 AS replied,
               protocol = 6 AND signs & (CASE WHEN from_a THEN 16 ELSE 8 END) > 0
                   AND signs & (CASE WHEN from_a THEN 64 ELSE 32 END) = 0 AS said_no,
               protocol IN (1, 58) AS icmp, icmp AND NOT replied AS error
        FROM directed
    ),
    -- ICMP without an answer, between hosts that talk otherwise, is an error about that talk.
    talking AS (
        SELECT DISTINCT a, b FROM told SEMI JOIN (SELECT DISTINCT a, b FROM told WHERE error) USING (a, b)
        WHERE NOT icmp
    ),
    sides AS (
        SELECT t.*, error AND (a, b) IN (FROM talking) AS provoked, pa.internal AS a_internal,
               pb.internal AS b_internal,
               -- Where nothing tells who began, an internal end is taken for the one that did.
               from_a <> (NOT sure AND CASE WHEN from_a THEN pb.internal AND NOT pa.internal
                                            ELSE pa.internal AND NOT pb.internal END) AS a_first,
               pa.special AS a_special, pb.special AS b_special, pa.dark AS a_dark, pb.dark AS b_dark,
               pa.listed OR pb.listed AS listed
        FROM told t JOIN places pa ON a = pa.address JOIN places pb ON b = pb.address
    )
    SELECT CASE WHEN a_first THEN a ELSE b END AS src, CASE WHEN a_first THEN b ELSE a END AS dst,
           CASE WHEN a_first THEN a_port ELSE b_port END AS sport,
           CASE WHEN a_first THEN b_port ELSE a_port END AS dport,
           CASE WHEN a_first THEN packets_forward ELSE packets_backward END AS packets_out,
           CASE WHEN a_first THEN packets_backward ELSE packets_forward END AS packets_in,
           CASE WHEN a_first THEN bytes_forward ELSE bytes_backward END AS bytes_out,
           CASE WHEN a_first THEN bytes_backward ELSE bytes_forward END AS bytes_in,
           CASE WHEN a_first THEN a_internal ELSE b_internal END AS from_inside,
           CASE WHEN a_first THEN b_internal ELSE a_internal END AS to_inside,
           CASE WHEN a_first THEN b_special ELSE a_special END AS to_special,
           CASE WHEN a_first THEN b_dark ELSE a_dark END AS to_dark,
           listed, sure AND NOT provoked AS sure, protocol, interface_id,
           least(coalesce(first_forward, first_backward), coalesce(first_backward, first_forward)) AS first, last,
           records, provoked, request_refused AND NOT replied AS refused,
           coalesce(replied AND NOT said_no, false) AS answered, coalesce(replied AND said_no, false) AS reset,
           resolution
    FROM sides"""

_WHOSE = "bool_or(from_inside) AS from_inside, bool_or(to_inside) AS to_inside, bool_or(to_special) AS to_special"
_SPAN = "min(first) AS first, max(last) AS last"
_PRESENT = "SELECT src AS address, first, last FROM ground UNION ALL SELECT dst, first, last FROM ground"
_VICTIM = "victim, protocol, reflected, from_us, to_us"
_ADMIN = "(22, 23, 135, 139, 445, 2222, 3389, 5900, 5985, 5986)"
_REFLECTING = "(17, 19, 53, 111, 123, 137, 161, 389, 520, 1900, 5353, 11211)"


def units(at: Mapping[str, float]) -> dict[str, str]:
    """Return the SQL of what each detector looks at, by kind of finding.

    Parameters
    ----------
    at
        The thresholds of flowlens, by name.
    """
    return {
        "port_scan": _port_scan(at),
        "port_sweep": _port_sweep(at),
        "probe": """
            WITH sources AS (
                SELECT src, dst, dport, protocol, min(interface_id) AS interface_id, count(*) AS flows,
                       sum(bytes_out) AS bytes, min(first) AS first, max(last) AS last,
                       bool_or(answered) AS answered, bool_and(refused) AS refused
                FROM ground WHERE sure AND NOT from_inside AND to_inside GROUP BY src, dst, dport, protocol
            )
            SELECT dst AS dstaddr, dport AS dstport, protocol, min(interface_id) AS interface_id,
                   list(src) AS sources, count(*) AS source_count, count(*) FILTER (answered) AS answered,
                   count(*) FILTER (refused) AS refused, sum(flows)::BIGINT AS flows, sum(bytes)::BIGINT AS bytes,
                   min(first) AS first, max(last) AS last
            FROM sources GROUP BY dst, dport, protocol""",
        "brute_force": _brute_force(at),
        "beacon": _beacon(at),
        "long_conversation": f"""
            SELECT src AS srcaddr, dst AS dstaddr, dport AS dstport, protocol, min(interface_id) AS interface_id,
                   max(last - first) AS longest, sum(last - first)::BIGINT AS total, count(*) AS flows,
                   sum(bytes_out)::BIGINT AS bytes, sum(bytes_in)::BIGINT AS bytes_in, {_SPAN}, {_WHOSE}
            FROM ground WHERE answered GROUP BY src, dst, dport, protocol HAVING longest >= 3600""",
        "volume_spike": _volume_spike(at),
        "flood": _flood(at),
        "new_peer": _new_peer(at),
        "lateral_movement": _lateral_movement(at),
        "match": f"""
            SELECT src AS srcaddr, dst AS dstaddr, dport AS dstport, protocol, min(interface_id) AS interface_id,
                   count(*) FILTER (answered) AS answered, count(*) FILTER (refused) AS refused, count(*) AS flows,
                   sum(bytes_out)::BIGINT AS bytes, sum(bytes_in)::BIGINT AS bytes_in, {_SPAN}, {_WHOSE}
            FROM ground WHERE listed GROUP BY src, dst, dport, protocol""",
        "log_gap": _log_gap(at),
    }


def _port_scan(at: Mapping[str, float]) -> str:
    return f"""
        WITH served AS (SELECT DISTINCT dst, dport, protocol FROM ground WHERE sure AND answered)
        SELECT src AS srcaddr, dst AS dstaddr, protocol, min(interface_id) AS interface_id,
               count(DISTINCT dport) AS ports, count(DISTINCT dport) FILTER (answered) AS open_ports,
               count(*) FILTER (refused) AS refused, count(*) AS flows, sum(bytes_out)::BIGINT AS bytes,
               sum(packets_out)::BIGINT AS packets, min(dport) AS lowest, max(dport) AS highest, {_SPAN}, {_WHOSE}
        FROM ground g
        ANTI JOIN served s ON g.src = s.dst AND g.sport = s.dport AND g.protocol = s.protocol
        WHERE sure AND protocol IN (6, 17) AND dport IS NOT NULL
        GROUP BY src, dst, protocol HAVING ports > {at["port_scan.ports"]}"""


def _port_sweep(at: Mapping[str, float]) -> str:
    return f"""
        WITH hosts AS (
            SELECT src, dst, dport, protocol, min(interface_id) AS interface_id, {_SPAN}, bool_or(answered) AS answered,
                   bool_or(refused) AS refused, count(*) AS flows, sum(bytes_out) AS bytes, bool_or(to_dark) AS to_dark,
                   {_WHOSE}
            FROM ground WHERE sure AND dport IS NOT NULL GROUP BY src, dst, dport, protocol
        ),
        udp AS (SELECT src, dst, dport FROM hosts WHERE protocol = 17),
        told AS (
            -- Some answer over UDP from another port, to the same one.
            SELECT *, NOT answered AND NOT (protocol = 17 AND (dst, src, dport) IN (FROM udp)) AS failed
            FROM hosts
        )
        SELECT src AS srcaddr, dport AS dstport, protocol, min(interface_id) AS interface_id, count(*) AS hosts,
               count(*) FILTER (failed) AS failed, count(*) FILTER (failed AND to_dark) AS dark,
               count(*) FILTER (refused AND failed) AS refused, sum(flows)::BIGINT AS flows,
               sum(bytes)::BIGINT AS bytes, {_SPAN}, bool_or(from_inside) AS from_inside,
               bool_and(to_inside) AS to_inside, bool_and(to_special) AS to_special
        FROM told GROUP BY src, dport, protocol
        HAVING hosts >= {at["port_sweep.hosts"]}
            AND 2 * count(*) FILTER (failed) + 2 * count(*) FILTER (failed AND to_dark) > hosts"""


def _brute_force(at: Mapping[str, float]) -> str:
    few, many = at["brute_force.packets"], at["brute_force.many_packets"]
    return f"""
        WITH logins AS (
            SELECT *, packets_out BETWEEN {few} AND {many} AS short, first // 3600 AS hour
            FROM ground WHERE sure AND protocol = 6 AND answered
        ),
        pairs AS (
            SELECT src, dst, dport, protocol, min(interface_id) AS interface_id, list(packets_out) AS packets,
                   count(*) FILTER (short) AS tries, max(packets_out) AS largest,
                   min(first) FILTER (packets_out > {many}) AS first_far, count(*) AS flows,
                   sum(bytes_out)::BIGINT AS bytes, {_SPAN}, {_WHOSE}
            FROM logins GROUP BY src, dst, dport, protocol HAVING tries >= 3
        ),
        tries AS (
            SELECT src, dst, dport, hour, count(*) AS tries, count(*) FILTER (l.first <= p.first_far) AS before
            FROM logins l JOIN pairs p USING (src, dst, dport) WHERE short GROUP BY src, dst, dport, hour
        ),
        counted AS (
            SELECT src, dst, dport, max(tries) AS tries_in_an_hour, sum(before)::BIGINT AS tries_before
            FROM tries GROUP BY src, dst, dport
        )
        SELECT * RENAME (src AS srcaddr, dst AS dstaddr, dport AS dstport)
        FROM pairs JOIN counted USING (src, dst, dport)"""


def _windowed(table: str, step: int) -> str:
    """Return CTEs: `windowed`, in which what is longer than a step is taken apart into its windows."""
    counts = ("packets_out", "packets_in", "bytes_out", "bytes_in")
    seen = ", ".join(
        f"coalesce(sum(f.{name[: name.index('_')]}) FILTER ("
        f"{'NOT ' if name.endswith('in') else ''}(f.srcaddr = src AND f.srcport IS NOT DISTINCT FROM sport)), 0) "
        f"AS seen_{name}"
        for name in counts
    )
    # Of what several places saw, the contact has the largest count.
    scaled = ", ".join(
        f"coalesce(floor(seen_{name} * ({name} / nullif(sum(seen_{name}) OVER own, 0))), 0)::BIGINT AS {name}"
        for name in counts
    )
    return f"""
        long_ones AS (
            SELECT g.*, f.start, max("end") AS ended, {seen}
            FROM {table} g JOIN flows f
                ON least(f.srcaddr, f.dstaddr) = least(src, dst)
                AND greatest(f.srcaddr, f.dstaddr) = greatest(src, dst)
                AND coalesce(CASE WHEN f.srcaddr < f.dstaddr THEN f.srcport ELSE f.dstport END, 0)
                    = coalesce(CASE WHEN src < dst THEN sport ELSE dport END, 0)
                AND coalesce(CASE WHEN f.srcaddr < f.dstaddr THEN f.dstport ELSE f.srcport END, 0)
                    = coalesce(CASE WHEN src < dst THEN dport ELSE sport END, 0)
                AND f.protocol = g.protocol AND f.interface_id = g.interface_id AND start BETWEEN g.first AND g.last
            WHERE g.last - g.first > greatest({step}, resolution) GROUP BY ALL
        ),
        windowed AS (
            SELECT *, 1 AS opens FROM {table} WHERE last - first <= greatest({step}, resolution)
            UNION ALL BY NAME
            SELECT * EXCLUDE ({", ".join(f"seen_{name}" for name in counts)}, start, ended)
                   REPLACE (start AS first, ended AS last, {scaled}),
                   (start = min(start) OVER own)::INT AS opens
            FROM long_ones WINDOW own AS (PARTITION BY src, dst, sport, dport, protocol, first)
        )"""


def _volume_spike(at: Mapping[str, float]) -> str:
    return f"""
        WITH chosen AS (FROM ground WHERE from_inside AND NOT to_inside AND NOT to_special),
        {_windowed("chosen", 3600)},
        outward AS (
            SELECT *, greatest(last - first, 3600) AS lasts, unnest(range(lasts // 3600)) AS later FROM windowed
        ),
        hourly AS (
            SELECT src, dst, first // 3600 + later AS hour, min(interface_id) AS interface_id,
                   sum(bytes_out * 3600 // lasts)::BIGINT AS rate, sum(bytes_in * 3600 // lasts)::BIGINT AS rate_in,
                   sum(bytes_out) FILTER (later = 0) AS bytes, sum(bytes_in) FILTER (later = 0) AS bytes_in,
                   coalesce(sum(opens) FILTER (later = 0), 0) AS flows, {_SPAN}
            FROM outward GROUP BY src, dst, hour
        ),
        pairs AS (
            SELECT src, dst, min(interface_id) AS interface_id, list(rate) AS rates, max(rate) AS peak,
                   arg_max(rate_in, (rate, -hour)) AS peak_in, min(hour) AS began,
                   count(DISTINCT hour // 24) AS days, coalesce(sum(bytes), 0)::BIGINT AS bytes,
                   coalesce(sum(bytes_in), 0)::BIGINT AS bytes_in, sum(flows)::BIGINT AS flows, {_SPAN}
            FROM hourly
            SEMI JOIN (FROM hourly SELECT src, dst WHERE rate >= {int(at["volume_spike.bytes"])}) USING (src, dst)
            GROUP BY src, dst HAVING peak > peak_in
        ),
        hosts AS (
            SELECT address AS src, min(first) AS host_began, max(last) AS host_ended
            FROM ({_PRESENT}) SEMI JOIN pairs ON address = src GROUP BY address
        ),
        of_host AS (SELECT src, hour, sum(rate)::BIGINT AS rate FROM hourly SEMI JOIN pairs USING (src) GROUP BY ALL),
        others AS (
            SELECT p.src, p.dst, list(h.rate - coalesce(own.rate, 0)) AS rest
            FROM pairs p JOIN of_host h USING (src)
            LEFT JOIN hourly own ON own.src = p.src AND own.dst = p.dst AND own.hour = h.hour
            GROUP BY p.src, p.dst
        )
        SELECT * RENAME (src AS srcaddr, dst AS dstaddr)
        FROM pairs JOIN hosts USING (src) JOIN others USING (src, dst)"""


def _flood(at: Mapping[str, float]) -> str:
    return f"""
        WITH told AS (
            SELECT *, protocol = 17 AND (dport IN {_REFLECTING} OR sport IN {_REFLECTING})
                       AND bytes_in > 10 * bytes_out AND (to_inside OR packets_in > 10 * packets_out) AS reflected
            FROM ground
            WHERE NOT to_special
                AND (reflected OR CASE WHEN protocol = 6 THEN NOT answered ELSE packets_out > 10 * packets_in END)
        ),
        sides AS (
            SELECT *, CASE WHEN reflected THEN src ELSE dst END AS victim,
                   CASE WHEN reflected THEN to_inside ELSE from_inside END AS from_us,
                   CASE WHEN reflected THEN from_inside ELSE to_inside END AS to_us,
                   CASE WHEN reflected THEN dst ELSE src END AS other
            FROM told
        ),
        -- Who got less in all than one minute of a flood was not flooded.
        suspected AS (
            SELECT {_VICTIM} FROM sides GROUP BY ALL
            HAVING sum(CASE WHEN reflected THEN packets_in ELSE packets_out END) >= {int(60 * at["flood.rate"])}
        ),
        chosen AS (FROM sides SEMI JOIN suspected USING ({_VICTIM})),
        {_windowed("chosen", 60)},
        minutes AS (
            SELECT *, CASE WHEN reflected THEN packets_in ELSE packets_out END AS packets,
                   CASE WHEN reflected THEN bytes_in ELSE bytes_out END AS bytes,
                   greatest(last - first, 60) AS lasts, unnest(range(lasts // 60)) AS later
            FROM windowed
        ),
        sources AS (
            SELECT {_VICTIM}, first // 60 + later AS step, other, min(interface_id) AS interface_id,
                   sum(packets * 60000 // lasts)::BIGINT AS packets, sum(bytes * 60000 // lasts) AS sent,
                   sum(bytes) FILTER (later = 0) AS bytes, coalesce(sum(opens) FILTER (later = 0), 0) AS flows,
                   count(DISTINCT dport) AS ports
            FROM minutes GROUP BY {_VICTIM}, step, other
        )
        SELECT {_VICTIM.replace("victim", "victim AS dstaddr")}, step, min(interface_id) AS interface_id,
               arg_max(other, (packets, -other)) AS source, max(packets) AS of_source, count(*) AS sources,
               max(ports) AS ports, sum(packets)::BIGINT AS packets, sum(sent)::BIGINT AS sent,
               coalesce(sum(bytes), 0)::BIGINT AS bytes, sum(flows)::BIGINT AS flows
        FROM sources GROUP BY {_VICTIM}, step
        QUALIFY max(sum(packets)) OVER (PARTITION BY {_VICTIM}) >= {int(60_000 * at["flood.rate"])}"""


def _beacon(at: Mapping[str, float]) -> str:
    traits = "interface_id, resolution, lasted, answered, refused, provoked, from_inside, to_inside, to_special"
    return f"""
        WITH timed AS (
            SELECT *, last - first AS lasted, lasted > 4 * resolution AND records > 2 AS lasting FROM ground
        ),
        -- Of a connection that lasts, each stretch without silence is an event; of any other the whole.
        windows AS (
            SELECT src, dst, sport, dport, g.protocol, g.first, {traits.replace("interface_id", "g.interface_id")},
                   start,
                   max("end") AS ended,
                   coalesce(sum(f.bytes) FILTER (f.srcaddr = g.src AND f.srcport IS NOT DISTINCT
                   FROM g.sport), 0) AS size
            FROM timed g JOIN flows f
                ON least(f.srcaddr, f.dstaddr) = least(src, dst)
                AND greatest(f.srcaddr, f.dstaddr) = greatest(src, dst)
                AND coalesce(CASE WHEN f.srcaddr < f.dstaddr THEN f.srcport ELSE f.dstport END, 0)
                    = coalesce(CASE WHEN src < dst THEN sport ELSE dport END, 0)
                AND coalesce(CASE WHEN f.srcaddr < f.dstaddr THEN f.dstport ELSE f.srcport END, 0)
                    = coalesce(CASE WHEN src < dst THEN dport ELSE sport END, 0)
                AND f.protocol = g.protocol AND f.interface_id = g.interface_id AND start BETWEEN g.first AND g.last
            WHERE lasting GROUP BY ALL
        ),
        begun AS (
            SELECT *, coalesce(start - max(ended) OVER (
                PARTITION BY src, dst, sport, dport, protocol, first ORDER BY start
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) >= resolution, false)::BIGINT AS begins
            FROM windows
        ),
        numbered AS (
            SELECT *, sum(begins) OVER (
                PARTITION BY src, dst, sport, dport, protocol, first ORDER BY start
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS number
            FROM begun
        ),
        events AS (
            SELECT src, dst, dport, protocol, {traits}, first AS time, bytes_out AS size, 1 AS opens
            FROM timed WHERE NOT lasting
            UNION ALL
            SELECT src, dst, dport, protocol, {traits}, min(start), sum(size)::BIGINT, (number = 0)::INT
            FROM numbered GROUP BY src, dst, sport, dport, protocol, first, {traits}, number
        )
        SELECT src AS srcaddr, dst AS dstaddr, dport AS dstport, protocol, min(interface_id) AS interface_id,
               list(time) AS times, list(size) AS sizes, count(*) AS events, sum(opens)::BIGINT AS flows,
               sum(size)::BIGINT AS bytes, min(time) AS first, max(time) AS last, max(lasted) AS longest,
               max(resolution) AS resolution, count(*) FILTER (answered) AS answered,
               count(*) FILTER (refused) AS refused,
               bool_and(provoked) AS provoked, {_WHOSE}
        FROM events GROUP BY src, dst, dport, protocol
        HAVING events >= {int(at["beacon.events"])} OR longest >= 3600"""


def _new_peer(at: Mapping[str, float]) -> str:
    def seen(what: str, unit: str, where: str) -> str:
        own = [name if name in unit else f"NULL AS {name}" for name in ("dst", "dport", "protocol")]
        return f"""
            SELECT src, {", ".join(own)}, '{what}' AS what, min(interface_id) AS interface_id, count(*) AS flows,
                   sum(bytes_out)::BIGINT AS bytes, {_SPAN}, count(*) OVER (PARTITION BY {unit}) AS hosts,
                   bool_or(from_inside) AS from_inside, bool_or(to_inside) AS to_inside
            FROM began WHERE {where} GROUP BY src, {unit}"""

    return f"""
        WITH began AS (FROM ground WHERE from_inside AND sure AND NOT to_special),
        seen AS (
            {seen("port", "dport, protocol", "NOT to_inside AND protocol IN (6, 17)")}
            UNION ALL {seen("protocol", "protocol", "protocol NOT IN (1, 6, 17, 58)")}
            UNION ALL {seen("peer", "dst", "to_inside AND answered")}
        ),
        hosts AS (SELECT address AS src, min(first) AS host_began FROM ({_PRESENT}) GROUP BY address)
        SELECT src AS srcaddr, dst AS dstaddr, dport AS dstport, protocol, what, interface_id, flows, bytes, first,
               last, first - host_began AS history, hosts, from_inside, to_inside,
               rank() OVER (PARTITION BY src, what ORDER BY first) - 1 AS usual
        FROM seen JOIN hosts USING (src) QUALIFY history >= {int(at["new_peer.history"] * 86_400)}"""


def _lateral_movement(at: Mapping[str, float]) -> str:
    return f"""
        WITH logins AS (
            SELECT *, first // 3600 AS hour FROM ground
            WHERE sure AND answered AND to_inside AND dport IN {_ADMIN} AND packets_out >= {at["brute_force.packets"]}
        ),
        onward AS (FROM logins WHERE from_inside),
        tries AS (
            SELECT src, dst, hour,
                   max(count(*) FILTER (packets_out <= {at["brute_force.many_packets"]})) OVER (
                       PARTITION BY src, dst ORDER BY hour) AS tries
            FROM logins GROUP BY src, dst, hour
        ),
        by_whom AS (
            SELECT o.src, o.dst, o.dport, o.protocol, c.src AS "by", max(tries) AS tries,
                   bool_or(NOT c.from_inside) AS outside, count(*) AS steps, min(o.first) AS went_on,
                   max(o.last) AS until
            FROM onward o JOIN logins c
                ON c.dst = o.src AND c.first <= o.first + o.resolution
                AND o.first <= c.last + {int(at["lateral_movement.minutes"] * 60)} AND c.src <> o.dst
            JOIN tries t ON t.src = c.src AND t.dst = c.dst AND t.hour = c.hour
            GROUP BY o.src, o.dst, o.dport, o.protocol, c.src
        ),
        heaviest AS (
            FROM by_whom QUALIFY rank() OVER (
                PARTITION BY src, dst, dport, protocol ORDER BY 2 * tries + outside::INT DESC) = 1
        ),
        chains AS (
            SELECT src, dst, dport, protocol, max(tries) AS tries, bool_or(outside) AS outside, min("by") AS "by",
                   sum(steps)::BIGINT AS steps, min(went_on) AS went_on, max(until) AS until
            FROM heaviest GROUP BY src, dst, dport, protocol
        ),
        fans AS (
            SELECT src, max(hosts) AS hosts
            FROM (SELECT src, count(DISTINCT dst) AS hosts FROM onward GROUP BY src, hour) GROUP BY src
        ),
        edges AS (
            SELECT src, dst, dport, protocol, min(interface_id) AS interface_id, count(DISTINCT hour) AS hours,
                   count(*) AS flows, sum(bytes_out)::BIGINT AS bytes, {_SPAN}, {_WHOSE}
            FROM onward GROUP BY src, dst, dport, protocol
        )
        SELECT src AS srcaddr, dst AS dstaddr, dport AS dstport, protocol, interface_id, hours, flows, bytes,
               coalesce(went_on, first) AS first, coalesce(until, last) AS last, from_inside, to_inside, to_special,
               coalesce(tries, 0) AS tries, coalesce(outside, false) AS outside, "by", coalesce(steps, 0) AS steps,
               hosts
        FROM edges LEFT JOIN chains USING (src, dst, dport, protocol) JOIN fans USING (src)"""


def _log_gap(at: Mapping[str, float]) -> str:
    seconds = int(at["log_gap.minutes"] * 60)
    return f"""
        WITH timed AS (
            FROM flows WHERE start IS NOT NULL AND "end" IS NOT NULL AND interface_id IS NOT NULL
        ),
        -- A gap is so long that none lies within half of that.
        merged AS (
            SELECT interface_id, start // {seconds // 2} AS bin, min(start) AS start, max("end") AS ended,
                   max("end" - start) AS longest, count(*) FILTER ("end" - start > 90) AS long, count(*) AS records,
                   count(*) FILTER (log_status = 0) AS nodata
            FROM timed GROUP BY interface_id, bin
        ),
        interfaces AS (
            SELECT interface_id, max(ended) AS ended, sum(nodata)::BIGINT AS nodata,
                   CASE WHEN max(longest) > 900 THEN 1 WHEN sum(long) > 0.01 * sum(records) THEN 600
                        ELSE 60 END AS resolution
            FROM merged GROUP BY interface_id
        ),
        silences AS (
            SELECT interface_id, max(ended) OVER (PARTITION BY interface_id ORDER BY start
                       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS first, start AS last, false AS to_the_end
            FROM merged
            UNION ALL SELECT interface_id, ended, max(ended) OVER (), true FROM interfaces
        ),
        holes AS (
            SELECT s.*, nodata FROM silences s JOIN interfaces USING (interface_id)
            WHERE last - first >= greatest({seconds}, 2 * resolution)
        ),
        own AS (
            SELECT DISTINCT interface_id, CASE flow_direction WHEN 0 THEN srcaddr WHEN 1 THEN dstaddr END AS address
            FROM flows SEMI JOIN holes USING (interface_id) WHERE address IS NOT NULL
        ),
        spoken AS (
            SELECT unnest([src, dst]) AS address, interface_id, first, last FROM ground WHERE answered
        )
        SELECT h.interface_id, h.first, h.last, h.to_the_end, h.nodata, min(own.address) AS address,
               count(s.first) AS seen
        FROM holes h LEFT JOIN own USING (interface_id)
        LEFT JOIN spoken s ON s.address = own.address AND s.first >= h.first AND s.last <= h.last
            AND s.interface_id <> h.interface_id
        GROUP BY h.interface_id, h.first, h.last, h.to_the_end, h.nodata HAVING NOT h.to_the_end OR seen > 0"""
