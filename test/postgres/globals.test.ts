import { describe, expect, it } from 'vitest';
import { rolesIn, roleStatements, splitStatements, tablespacesIn } from '../../src/sources/postgres/globals.ts';

const GLOBALS = `--
-- Roles; it's
--
\\restrict abc
SET standard_conforming_strings = on;
CREATE ROLE app;
ALTER ROLE app WITH NOSUPERUSER INHERIT LOGIN PASSWORD 'SCRAM-SHA-256$4096:a;b$c:d';
COMMENT ON ROLE app IS 'it''s; of
two -- lines';
CREATE ROLE "Odd ""one";
ALTER ROLE "Odd ""one" WITH SUPERUSER LOGIN;
ALTER ROLE app SET search_path TO 'a', 'b';
ALTER ROLE app IN DATABASE shop SET work_mem TO '1MB';
GRANT readers TO app WITH ADMIN OPTION GRANTED BY postgres;
GRANT app TO old GRANTED BY postgres;
CREATE TABLESPACE "fast disk" OWNER app LOCATION '/srv/fast';
`;

describe('roles out of the globals', () => {
  it('statements are split outside quotes, over lines, without comments', () => {
    const statements = splitStatements(GLOBALS);
    expect(statements).toHaveLength(11);
    expect(statements[3]).toBe("COMMENT ON ROLE app IS 'it''s; of\ntwo -- lines'");
    expect(rolesIn(GLOBALS)).toEqual(['app', 'Odd "one']);
    expect(tablespacesIn(GLOBALS)).toEqual(['fast disk']);
  });

  it('a missing role comes with attributes, password, settings and its own memberships; others are not altered', () => {
    expect(roleStatements(GLOBALS, ['app'])).toEqual([
      {
        role: 'app',
        statements: [
          'CREATE ROLE "app"',
          "ALTER ROLE app WITH NOSUPERUSER INHERIT LOGIN PASSWORD 'SCRAM-SHA-256$4096:a;b$c:d'",
          "COMMENT ON ROLE app IS 'it''s; of\ntwo -- lines'",
          "ALTER ROLE app SET search_path TO 'a', 'b'",
        ],
      },
      { role: 'app', statements: ['GRANT readers TO app WITH ADMIN OPTION'] },
    ]);
  });

  it('without a password in the globals, or unknown to them: it cannot log in', () => {
    expect(roleStatements(GLOBALS, ['Odd "one', 'nobody here'])).toEqual([
      {
        role: 'Odd "one',
        statements: ['CREATE ROLE "Odd ""one"', 'ALTER ROLE "Odd ""one" WITH SUPERUSER NOLOGIN'],
      },
      { role: 'nobody here', statements: ['CREATE ROLE "nobody here"'] },
    ]);
  });
});
