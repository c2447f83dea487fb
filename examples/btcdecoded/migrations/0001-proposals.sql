CREATE TABLE IF NOT EXISTS proposals (
  id integer PRIMARY KEY,
  title text NOT NULL,
  at timestamptz NOT NULL DEFAULT now()
);
