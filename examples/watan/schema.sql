-- What the API of the example works on.
CREATE TABLE users (id integer PRIMARY KEY, name text NOT NULL, balance numeric NOT NULL DEFAULT 0);
CREATE TABLE deposit (
  id bigint PRIMARY KEY,
  user_id integer NOT NULL REFERENCES users,
  amount numeric NOT NULL,
  at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX deposit_of_user ON deposit (user_id);
CREATE TABLE sessions (id bigserial PRIMARY KEY, user_id integer NOT NULL, seen timestamptz NOT NULL DEFAULT now());
INSERT INTO users (id, name) SELECT n, 'user ' || n FROM generate_series(1, 200) AS n;
