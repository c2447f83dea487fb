-- What the services of the example work on.
CREATE TABLE audio_files (id integer PRIMARY KEY, sha256 text NOT NULL, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE tracklists (audio_file integer PRIMARY KEY REFERENCES audio_files, title text NOT NULL);
CREATE TABLE analysis_results (audio_file integer PRIMARY KEY REFERENCES audio_files, bpm integer NOT NULL);
