BEGIN TRANSACTION;
CREATE TABLE cursor (
  kind TEXT NOT NULL, side TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (kind, side)
) WITHOUT ROWID;
INSERT INTO "cursor" VALUES('mail','remote','{"email": "28", "mailbox": "31"}');
CREATE TABLE folder (key INTEGER PRIMARY KEY, path TEXT NOT NULL, keywords TEXT NOT NULL DEFAULT '');
INSERT INTO "folder" VALUES(1,'INBOX','0 work
1 x-a
2 x-b
');
INSERT INTO "folder" VALUES(2,'Drafts','');
INSERT INTO "folder" VALUES(3,'Sent','');
INSERT INTO "folder" VALUES(4,'Trash','');
INSERT INTO "folder" VALUES(5,'Junk','');
INSERT INTO "folder" VALUES(6,'Archive','0 work
1 x-a
2 x-b
');
INSERT INTO "folder" VALUES(7,'Lists','0 x-a
1 x-b
');
INSERT INTO "folder" VALUES(8,'Lists/python','');
CREATE TABLE intent (
  key INTEGER PRIMARY KEY, kind TEXT NOT NULL, what TEXT NOT NULL, at INTEGER NOT NULL
);
CREATE TABLE item (
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  ref TEXT,                            -- the server's id
  name TEXT NOT NULL DEFAULT '',       -- a label for people
  size INTEGER NOT NULL DEFAULT 0,     -- octets on the wire
  stamp INTEGER NOT NULL DEFAULT 0,    -- receivedAt, seconds since the epoch
  digest TEXT NOT NULL DEFAULT '',     -- of the server's bytes, as far as known
  local TEXT, remote TEXT, base_local TEXT, base_remote TEXT,
  agreed INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "item" VALUES(1,'mailbox','m1','INBOX',0,0,'','INBOX	=				','INBOX	=				',NULL,NULL,1);
INSERT INTO "item" VALUES(2,'mailbox','m2','Drafts',0,0,'','Drafts	=				','Drafts	=				',NULL,NULL,1);
INSERT INTO "item" VALUES(3,'mailbox','m3','Sent',0,0,'','Sent	=				','Sent	=				',NULL,NULL,1);
INSERT INTO "item" VALUES(4,'mailbox','m4','Trash',0,0,'','Trash	=				','Trash	=				',NULL,NULL,1);
INSERT INTO "item" VALUES(5,'mailbox','m5','Junk',0,0,'','Junk	=				','Junk	=				',NULL,NULL,1);
INSERT INTO "item" VALUES(6,'mailbox','m6','Archive',0,0,'','Archive	=				','Archive	=				',NULL,NULL,1);
INSERT INTO "item" VALUES(7,'mailbox','m7','Lists',0,0,'','Lists	=				','Lists	=				',NULL,NULL,1);
INSERT INTO "item" VALUES(8,'mailbox','m8','python',0,0,'','python	=		7		','python	=		7		',NULL,NULL,1);
INSERT INTO "item" VALUES(9,'mail','e9','email e9',88,1749991000,'Do0PZJl+aCOfVNi55viacZajC0UOwJUvZiL9xRgwYmQ=','Do0PZJl+aCOfVNi55viacZajC0UOwJUvZiL9xRgwYmQ=	=		1		','Ga4f64d21cbd40de9531bdf2b86650b4174281dd1	Do0PZJl+aCOfVNi55viacZajC0UOwJUvZiL9xRgwYmQ=		1		',NULL,NULL,1);
INSERT INTO "item" VALUES(10,'mail','e10','email e10',85,1749991001,'IjAjCQ4kuZQ+cjHPdDOepYV0Ly/iojMq1Zu8gBSVlVI=','IjAjCQ4kuZQ+cjHPdDOepYV0Ly/iojMq1Zu8gBSVlVI=	=		1		','G96b08781ea5bdfc08d7dadeaaeaaa6777cf24c22	IjAjCQ4kuZQ+cjHPdDOepYV0Ly/iojMq1Zu8gBSVlVI=		1		',NULL,NULL,1);
INSERT INTO "item" VALUES(11,'mail','e11','email e11',88,1749991002,'bGqSmGXNZdqWjEmwN04XQu5kxTv8HPV9R3CYplkTXdw=','bGqSmGXNZdqWjEmwN04XQu5kxTv8HPV9R3CYplkTXdw=	=		1		','Gb3d5eb246cb1519f61c3b7600f8c527668af6d80	bGqSmGXNZdqWjEmwN04XQu5kxTv8HPV9R3CYplkTXdw=		1		',NULL,NULL,1);
INSERT INTO "item" VALUES(12,'mail','e12','email e12',85,1749992000,'HSAtZbvgWN2wKGzrdN2Q1ZefFzQp1WFHC7GZK1RYHJs=','HSAtZbvgWN2wKGzrdN2Q1ZefFzQp1WFHC7GZK1RYHJs=	=	$seen work	1 6		','G5b23c5f7ddcf66d0cf09edd0e273d790b135ae54	HSAtZbvgWN2wKGzrdN2Q1ZefFzQp1WFHC7GZK1RYHJs=	$seen work	1 6		',NULL,NULL,1);
INSERT INTO "item" VALUES(13,'mail','e13','email e13',85,1749992001,'7WgIJ2UnQYrUhUoIm02lTNFVzwNwfWUxoO38JvFpYfg=','7WgIJ2UnQYrUhUoIm02lTNFVzwNwfWUxoO38JvFpYfg=	=	$flagged	8		','Ge4abb008f32df021bfcd27bf97124482fa872ff7	7WgIJ2UnQYrUhUoIm02lTNFVzwNwfWUxoO38JvFpYfg=	$flagged	8		',NULL,NULL,1);
INSERT INTO "item" VALUES(14,'mail','e14','email e14',88,1749992002,'8isaWx8ogkhHk8n9y3IlilhuVnX+NVrNCG7vmQxalcw=','8isaWx8ogkhHk8n9y3IlilhuVnX+NVrNCG7vmQxalcw=	=	$draft $seen	2		','G52903873851e240d3807859b930918c729acb7e2	8isaWx8ogkhHk8n9y3IlilhuVnX+NVrNCG7vmQxalcw=	$draft $seen	2		',NULL,NULL,1);
INSERT INTO "item" VALUES(15,'mail','e15','email e15',39,1749993000,'2y/J4sGcn/Di1SkK0pWbyN1o/xh2LkMIRTXN0v1rWr4=','2y/J4sGcn/Di1SkK0pWbyN1o/xh2LkMIRTXN0v1rWr4=	=		1		','Gb318e4c3fd401717f47dd681badf81155ce92051	2y/J4sGcn/Di1SkK0pWbyN1o/xh2LkMIRTXN0v1rWr4=		1		',NULL,NULL,1);
INSERT INTO "item" VALUES(16,'mail','e16','email e16',85,1749993001,'r6NLgoON+tj7HLCRyQJRIOWn/bYMAfGGT2P5B/7ZLhY=','r6NLgoON+tj7HLCRyQJRIOWn/bYMAfGGT2P5B/7ZLhY=	=		1		','G6618cc984ffb33a2b52865414c541b7fa5c6a3cb	r6NLgoON+tj7HLCRyQJRIOWn/bYMAfGGT2P5B/7ZLhY=		1		',NULL,NULL,1);
INSERT INTO "item" VALUES(17,'mail','e17','email e17',85,1749993002,'r6NLgoON+tj7HLCRyQJRIOWn/bYMAfGGT2P5B/7ZLhY=','r6NLgoON+tj7HLCRyQJRIOWn/bYMAfGGT2P5B/7ZLhY=	=		1		','G6618cc984ffb33a2b52865414c541b7fa5c6a3cb	r6NLgoON+tj7HLCRyQJRIOWn/bYMAfGGT2P5B/7ZLhY=		1		',NULL,NULL,1);
INSERT INTO "item" VALUES(18,'mail','e18','email e18',88,1749993003,'Zod13F/01yQcBpji9zV0v3mJIp2Xjyrbl2GZO9PfZrA=','Zod13F/01yQcBpji9zV0v3mJIp2Xjyrbl2GZO9PfZrA=	=	$answered x-a x-b	1 6 7		','Gfa81f587295f07db05543f8c7b5798635811982c	Zod13F/01yQcBpji9zV0v3mJIp2Xjyrbl2GZO9PfZrA=	$answered x-a x-b	1 6 7		',NULL,NULL,1);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('account','a1');
INSERT INTO "meta" VALUES('roles','{"archive": "m6", "drafts": "m2", "inbox": "m1", "junk": "m5", "sent": "m3", "trash": "m4"}');
INSERT INTO "meta" VALUES('root:mail','ddf1e37e640deac77d54afacb9b03c84');
CREATE TABLE place (
  folder INTEGER NOT NULL, name TEXT NOT NULL,
  info TEXT NOT NULL, sub TEXT NOT NULL,
  key INTEGER NOT NULL,
  ino INTEGER NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
  form TEXT NOT NULL,
  PRIMARY KEY (folder, name)
) WITHOUT ROWID;
INSERT INTO "place" VALUES(1,'1749991000.J9R00000001.vm','','new',9,1258453,83,1749991000000000000,'lf');
INSERT INTO "place" VALUES(1,'1749991001.J10R00000002.vm','','new',10,1258454,80,1749991001000000000,'lf');
INSERT INTO "place" VALUES(1,'1749991002.J11R00000003.vm','','new',11,1258455,83,1749991002000000000,'lf');
INSERT INTO "place" VALUES(1,'1749992000.J12R00000004.vm',':2,Sa','cur',12,1258456,80,1749992000000000000,'lf');
INSERT INTO "place" VALUES(1,'1749993000.J15R00000007.vm','','new',15,1258459,39,1749993000000000000,'raw');
INSERT INTO "place" VALUES(1,'1749993001.J16R00000008.vm','','new',16,1258460,80,1749993001000000000,'lf');
INSERT INTO "place" VALUES(1,'1749993002.J17R00000009.vm','','new',17,1258461,80,1749993002000000000,'lf');
INSERT INTO "place" VALUES(1,'1749993003.J18R0000000a.vm',':2,Rbc','cur',18,1258462,83,1749993003000000000,'lf');
INSERT INTO "place" VALUES(2,'1749992002.J14R00000006.vm',':2,DS','cur',14,1258458,83,1749992002000000000,'lf');
INSERT INTO "place" VALUES(6,'1749992000.J12R0000000b.vm',':2,Sa','cur',12,1258456,80,1749992000000000000,'lf');
INSERT INTO "place" VALUES(6,'1749993003.J18R0000000c.vm',':2,Rbc','cur',18,1258462,83,1749993003000000000,'lf');
INSERT INTO "place" VALUES(7,'1749993003.J18R0000000d.vm',':2,Rab','cur',18,1258462,83,1749993003000000000,'lf');
INSERT INTO "place" VALUES(8,'1749992001.J13R00000005.vm',':2,F','cur',13,1258457,80,1749992001000000000,'lf');
CREATE TABLE problem (
  kind TEXT NOT NULL, item TEXT NOT NULL, key INTEGER, why TEXT NOT NULL,
  remedy TEXT NOT NULL, seen TEXT NOT NULL DEFAULT '', since INTEGER NOT NULL, last INTEGER NOT NULL,
  PRIMARY KEY (kind, item)
) WITHOUT ROWID;
CREATE TABLE run (kind TEXT PRIMARY KEY, at INTEGER NOT NULL, report TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "run" VALUES('mail',1750000000,'{"state": "synced", "to_disk": {"created": 0, "updated": 0, "deleted": 0}, "to_server": {"created": 0, "updated": 0, "deleted": 0}, "folders": {"created": 0, "updated": 0, "deleted": 0}, "conflicts": 0, "problems": [], "sentences": []}');
CREATE TABLE shelf (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, key INTEGER NOT NULL, item TEXT NOT NULL,
  side TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, home TEXT NOT NULL DEFAULT '', tags TEXT NOT NULL DEFAULT ''
);
CREATE TABLE suspension (
  kind TEXT PRIMARY KEY, plan TEXT NOT NULL, sentence TEXT NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX item_ref ON item (kind, ref) WHERE ref IS NOT NULL;
CREATE INDEX item_open ON item (kind, key) WHERE agreed = 0;
CREATE INDEX item_digest ON item (digest) WHERE digest <> '';
CREATE INDEX place_key ON place (key);
CREATE INDEX place_ino ON place (ino);
CREATE INDEX problem_key ON problem (key);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('item',18);
PRAGMA user_version = 1;
COMMIT;
