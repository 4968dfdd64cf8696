-- A file as the first version of the format has left it. It stays as it is, whatever the program writes today.
-- Each condition once, and each way in which a message came.
BEGIN;
PRAGMA application_id = 0x70327063;
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('messages', 0), ('plain', 0);
CREATE TABLE peer (
    peer INTEGER PRIMARY KEY,
    key BLOB UNIQUE CHECK (length(key) = 32),
    addr TEXT,
    name TEXT,
    CHECK ((key IS NULL) <> (addr IS NULL))
) STRICT;
CREATE UNIQUE INDEX peer_addr ON peer (addr) WHERE addr IS NOT NULL;
CREATE TABLE message (
    message INTEGER PRIMARY KEY AUTOINCREMENT,
    peer INTEGER NOT NULL REFERENCES peer,
    outgoing INTEGER NOT NULL,
    state INTEGER NOT NULL,
    again INTEGER NOT NULL DEFAULT 0,
    id BLOB CHECK (length(id) = 16),
    name TEXT,
    time INTEGER NOT NULL,
    sent INTEGER,
    expires INTEGER NOT NULL DEFAULT 0,
    assurance INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX message_id ON message (peer, id, outgoing) WHERE id IS NOT NULL;
CREATE INDEX message_peer ON message (peer);
CREATE INDEX message_time ON message (time);
CREATE INDEX message_open ON message (message) WHERE outgoing = 1 AND state <= 1;
CREATE INDEX message_unshown ON message (message) WHERE outgoing = 0 AND state = 0;
CREATE INDEX message_plain ON message (message) WHERE assurance IN (0, 3);
CREATE TABLE known (
    known INTEGER PRIMARY KEY,
    peer INTEGER NOT NULL REFERENCES peer,
    id BLOB NOT NULL CHECK (length(id) = 16),
    UNIQUE (peer, id)
) STRICT;
PRAGMA user_version = 1;
INSERT INTO peer VALUES
(1, x'0101010101010101010101010101010101010101010101010101010101010101', NULL, 'Alice'),
(2, x'0202020202020202020202020202020202020202020202020202020202020202', NULL, 'Bob'),
(3, NULL, '127.0.0.1:5003', 'Plain'),
(4, NULL, '[fe80::1%2]:5004', 'Bob');
INSERT INTO message (message, peer, outgoing, state, again, id, name, time, sent, expires, assurance, body) VALUES
(1, 1, 1, 0, 0, x'00000000000000000000000000000001', 'Alice', 1800000000001, 1799999999996, 1800600000000, 1, 'waits'),
(2, 1, 1, 1, 1, x'00000000000000000000000000000002', 'Alice', 1800000000002, 1799999999997, 1800600000000, 1, 'may be on its way'),
(3, 1, 1, 2, 1, x'00000000000000000000000000000003', 'Alice', 1800000000003, 1799999999998, 1800600000000, 1, 'state 2'),
(4, 3, 1, 3, 0, x'00000000000000000000000000000004', 'Alice', 1800000000004, 1799999999999, 1800600000000, 0, 'state 3'),
(5, 3, 1, 4, 1, x'00000000000000000000000000000005', 'Alice', 1800000000005, 1800000000000, 1800600000000, 0, 'Ein Zaun'),
(6, 1, 1, 5, 0, x'00000000000000000000000000000006', 'Alice', 1800000000006, 1800000000001, 1800600000000, 1, 'state 5'),
(7, 1, 1, 6, 0, x'00000000000000000000000000000007', 'Alice', 1800000000007, 1800000000002, 1800600000000, 1, 'state 6'),
(8, 1, 1, 7, 0, x'00000000000000000000000000000008', 'Alice', 1800000000008, 1800000000003, 1800600000000, 1, 'state 7'),
(9, 1, 1, 8, 0, x'00000000000000000000000000000009', 'Alice', 1800000000009, 1800000000004, 1800600000000, 1, 'state 8'),
(10, 1, 1, 9, 0, x'0000000000000000000000000000000a', 'Alice', 1800000000010, 1800000000005, 1800600000000, 1, 'state 9'),
(11, 1, 1, 10, 0, x'0000000000000000000000000000000b', 'Alice', 1800000000011, 1800000000006, 1800600000000, 1, 'state 10'),
(12, 3, 0, 1, 0, NULL, 'Plain', 1800000000012, NULL, 0, 0, 'shown, in plain'),
(13, 2, 0, 1, 0, x'00000000000000000000000000000015', 'Bob', 1800000000013, 1799999999000, 0, 1, 'shown'),
(14, 2, 0, 0, 0, x'00000000000000000000000000000016', 'Bob', 1800000000014, 1799999999000, 0, 2, 'not shown, and zäune'),
(15, 4, 0, 0, 0, NULL, 'Bob', 1800000000015, NULL, 0, 3, 'claimed: Über den ZAUN');
-- One more came and was forgotten.
UPDATE sqlite_sequence SET seq = 16 WHERE name = 'message';
INSERT INTO known VALUES (1, 2, x'00000001070707070707070707070707');
UPDATE meta SET value = 15 WHERE name = 'messages';
UPDATE meta SET value = 4 WHERE name = 'plain';
COMMIT;
