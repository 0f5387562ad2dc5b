-- Written by bluegreen as it was when the ledger had schema 1: two releases and a rollback.
BEGIN TRANSACTION;
CREATE TABLE release (
    id text primary key, site text not null, slot text not null, kind text not null,
    origin text not null, image text not null, image_id text not null, digest text not null,
    revision text not null, outcome text not null default '', started text not null,
    finished text, was_live integer not null default 0, replaced text not null default '',
    spec text not null, spec_hash text not null, manifest_digest text not null default '',
    index_sha256 text not null default '', index_modified real not null default 0,
    error text not null default '{}', evidence text not null default '{}'
) strict;
INSERT INTO "release" VALUES('20261124-230907-wa99','web','blue','release','20261124-230907-wa99','bluegreen/web:20261124-230907-none-wa99','sha256:83492bacfdcc75e0b918aacae8a5ca5a7b38681f5c8b0d0113963528abfec5bf','','none','released','2026-11-24T23:09:07.879+00:00','2026-11-24T23:09:09.078+00:00',1,'','{"container": {"port": 80, "command": [], "entrypoint": [], "working_dir": "", "stop_signal": "", "env": {}, "env_file": [], "secrets": [], "healthcheck": {"test": [], "interval": "0s", "timeout": "0s", "retries": 0, "start_period": "0s", "start_interval": "0s"}, "cap_add": [], "security_opt": [], "ulimits": {}, "extra_hosts": {}, "mounts": [], "networks": [], "memory": 0, "cpus": 0.0, "pids": 0, "user": "", "read_only": false, "tmpfs": [], "cap_drop": [], "init": true, "restart": "unless-stopped", "stop_grace": "3s", "log_max_size": "10m", "log_max_files": 3, "labels": {}}, "gate": {"path": "/", "host": "", "status": [200], "timeout": "15s", "passes": 3, "interval": "50ms"}, "freshness": {"web_root": "/srv/www", "index": "index.html"}, "files": {}}','1ac8e6b7e5c6723b','6c3e84c758af97e726bc6eda8009a062fdc7c2bb737cc53c2ddbc7e74c1e752a','367d51d024658cbdca0e090274dad2c09db69fe54849c1363a3ecf4c44568e58',1795561747.0,'{}','{}');
INSERT INTO "release" VALUES('20261124-230909-scuw','web','green','release','20261124-230909-scuw','bluegreen/web:20261124-230909-none-scuw','sha256:9bffb43ad165075ece4de6a3b527f7708bb7a8b2ae1fae65cc337d9d54ad93f8','','none','released','2026-11-24T23:09:09.816+00:00','2026-11-24T23:09:11.527+00:00',1,'20261124-230907-wa99','{"container": {"port": 80, "command": [], "entrypoint": [], "working_dir": "", "stop_signal": "", "env": {}, "env_file": [], "secrets": [], "healthcheck": {"test": [], "interval": "0s", "timeout": "0s", "retries": 0, "start_period": "0s", "start_interval": "0s"}, "cap_add": [], "security_opt": [], "ulimits": {}, "extra_hosts": {}, "mounts": [], "networks": [], "memory": 0, "cpus": 0.0, "pids": 0, "user": "", "read_only": false, "tmpfs": [], "cap_drop": [], "init": true, "restart": "unless-stopped", "stop_grace": "3s", "log_max_size": "10m", "log_max_files": 3, "labels": {}}, "gate": {"path": "/", "host": "", "status": [200], "timeout": "15s", "passes": 3, "interval": "50ms"}, "freshness": {"web_root": "/srv/www", "index": "index.html"}, "files": {}}','1ac8e6b7e5c6723b','bd9c97db1ee43260a075e8cbeda77331b002fb42b1c27236a4228a4ed69b8413','37cf7c07802b4384d0b3d2f4edfc0ed72927a01467c9343a493a62615e290a67',1795561749.0,'{}','{}');
INSERT INTO "release" VALUES('20261124-230912-ygu3','web','blue','rollback','20261124-230907-wa99','bluegreen/web:20261124-230907-none-wa99','sha256:83492bacfdcc75e0b918aacae8a5ca5a7b38681f5c8b0d0113963528abfec5bf','','none','rolled_back','2026-11-24T23:09:12.108+00:00','2026-11-24T23:09:13.426+00:00',1,'20261124-230909-scuw','{"container": {"port": 80, "command": [], "entrypoint": [], "working_dir": "", "stop_signal": "", "env": {}, "env_file": [], "secrets": [], "healthcheck": {"test": [], "interval": "0s", "timeout": "0s", "retries": 0, "start_period": "0s", "start_interval": "0s"}, "cap_add": [], "security_opt": [], "ulimits": {}, "extra_hosts": {}, "mounts": [], "networks": [], "memory": 0, "cpus": 0.0, "pids": 0, "user": "", "read_only": false, "tmpfs": [], "cap_drop": [], "init": true, "restart": "unless-stopped", "stop_grace": "3s", "log_max_size": "10m", "log_max_files": 3, "labels": {}}, "gate": {"path": "/", "host": "", "status": [200], "timeout": "15s", "passes": 3, "interval": "50ms"}, "freshness": {"web_root": "/srv/www", "index": "index.html"}, "files": {}}','1ac8e6b7e5c6723b','6c3e84c758af97e726bc6eda8009a062fdc7c2bb737cc53c2ddbc7e74c1e752a','367d51d024658cbdca0e090274dad2c09db69fe54849c1363a3ecf4c44568e58',1795561747.0,'{}','{}');
CREATE TABLE step (
    release text not null references release (id) on delete cascade,
    number integer not null, name text not null, status text not null,
    seconds real not null, detail text not null, primary key (release, number)
) strict;
INSERT INTO "step" VALUES('20261124-230907-wa99',0,'preflight','ok',0.0264,'{}');
INSERT INTO "step" VALUES('20261124-230907-wa99',1,'plan','ok',0.0001,'{}');
INSERT INTO "step" VALUES('20261124-230907-wa99',2,'build','ok',0.4685,'{"builder": "buildx 0.13.1", "image_id": "sha256:83492bacfdcc75e0b918aacae8a5ca5a7b38681f5c8b0d0113963528abfec5bf"}');
INSERT INTO "step" VALUES('20261124-230907-wa99',3,'inspect','ok',0.0877,'{"files": 50, "bytes": 369629, "digest": "6c3e84c758af97e726bc6eda8009a062fdc7c2bb737cc53c2ddbc7e74c1e752a", "live_digest": null, "index_modified": 1795561747.0, "live_index_modified": null, "size": "361.0 kB"}');
INSERT INTO "step" VALUES('20261124-230907-wa99',4,'boot','ok',0.2969,'{}');
INSERT INTO "step" VALUES('20261124-230907-wa99',5,'gate','ok',0.1934,'{"passes": 3, "compared": 8}');
INSERT INTO "step" VALUES('20261124-230907-wa99',6,'route','ok',0.0432,'{}');
INSERT INTO "step" VALUES('20261124-230907-wa99',7,'switch','ok',0.0292,'{"by": "pointer", "act_seconds": 0.0061}');
INSERT INTO "step" VALUES('20261124-230907-wa99',8,'verify','ok',0.0188,'{"compared": 8}');
INSERT INTO "step" VALUES('20261124-230907-wa99',9,'prune','ok',0.018,'{"removed": []}');
INSERT INTO "step" VALUES('20261124-230909-scuw',0,'preflight','ok',0.0412,'{}');
INSERT INTO "step" VALUES('20261124-230909-scuw',1,'plan','ok',0.0002,'{}');
INSERT INTO "step" VALUES('20261124-230909-scuw',2,'build','ok',0.4679,'{"builder": "buildx 0.13.1", "image_id": "sha256:9bffb43ad165075ece4de6a3b527f7708bb7a8b2ae1fae65cc337d9d54ad93f8"}');
INSERT INTO "step" VALUES('20261124-230909-scuw',3,'inspect','ok',0.1199,'{"files": 50, "bytes": 369619, "digest": "bd9c97db1ee43260a075e8cbeda77331b002fb42b1c27236a4228a4ed69b8413", "live_digest": "6c3e84c758af97e726bc6eda8009a062fdc7c2bb737cc53c2ddbc7e74c1e752a", "index_modified": 1795561749.0, "live_index_modified": 1795561747.0, "size": "361.0 kB"}');
INSERT INTO "step" VALUES('20261124-230909-scuw',4,'boot','ok',0.3408,'{}');
INSERT INTO "step" VALUES('20261124-230909-scuw',5,'gate','ok',0.2004,'{"passes": 3, "compared": 8}');
INSERT INTO "step" VALUES('20261124-230909-scuw',6,'switch','ok',0.0144,'{"by": "pointer", "act_seconds": 0.00108}');
INSERT INTO "step" VALUES('20261124-230909-scuw',7,'verify','ok',0.0144,'{"compared": 8}');
INSERT INTO "step" VALUES('20261124-230909-scuw',8,'drain','ok',0.4206,'{"left": 0, "most": 0}');
INSERT INTO "step" VALUES('20261124-230909-scuw',9,'retire','ok',0.107,'{}');
INSERT INTO "step" VALUES('20261124-230909-scuw',10,'prune','ok',0.0132,'{"removed": []}');
INSERT INTO "step" VALUES('20261124-230912-ygu3',0,'preflight','ok',0.0366,'{}');
INSERT INTO "step" VALUES('20261124-230912-ygu3',1,'plan','ok',0.0019,'{}');
INSERT INTO "step" VALUES('20261124-230912-ygu3',2,'inspect','ok',0.0814,'{"files": 50, "bytes": 369629, "digest": "6c3e84c758af97e726bc6eda8009a062fdc7c2bb737cc53c2ddbc7e74c1e752a", "live_digest": "bd9c97db1ee43260a075e8cbeda77331b002fb42b1c27236a4228a4ed69b8413", "index_modified": 1795561747.0, "live_index_modified": 1795561749.0, "size": "361.0 kB"}');
INSERT INTO "step" VALUES('20261124-230912-ygu3',3,'boot','ok',0.3502,'{}');
INSERT INTO "step" VALUES('20261124-230912-ygu3',4,'gate','ok',0.1565,'{"passes": 3, "compared": 8}');
INSERT INTO "step" VALUES('20261124-230912-ygu3',5,'switch','ok',0.0214,'{"by": "pointer", "act_seconds": 0.00113}');
INSERT INTO "step" VALUES('20261124-230912-ygu3',6,'verify','ok',0.0272,'{"compared": 8}');
INSERT INTO "step" VALUES('20261124-230912-ygu3',7,'drain','ok',0.4399,'{"left": 0, "most": 0}');
INSERT INTO "step" VALUES('20261124-230912-ygu3',8,'retire','ok',0.1807,'{}');
INSERT INTO "step" VALUES('20261124-230912-ygu3',9,'prune','ok',0.0213,'{"removed": []}');
CREATE INDEX release_by_site on release (site);
COMMIT;
PRAGMA user_version = 1;
