/** Roles out of `pg_dumpall --globals-only`: what of it makes a role that is missing, and touches no other. Pure. */

export interface RoleStatements {
  readonly role: string;
  /** In order; each stands alone. The first creates the role. */
  readonly statements: readonly string[];
}

/** An identifier as the tools write it: bare, or in double quotes. */
const IDENTIFIER = '("(?:[^"]|"")+"|[^\\s";]+)';
const ABOUT_ROLE = new RegExp(`^(CREATE ROLE|ALTER ROLE|COMMENT ON ROLE) ${IDENTIFIER}`);
const MEMBERSHIP = new RegExp(`^GRANT ${IDENTIFIER} TO ${IDENTIFIER}`);
const TABLESPACE = new RegExp(`^CREATE TABLESPACE ${IDENTIFIER}`);
const GRANTOR = new RegExp(` GRANTED BY ${IDENTIFIER}$`);

/**
 * What creates the missing roles as they were: attributes, settings, memberships. One whose password is not in the
 * globals gets none and can't log in. A role that the globals don't know is created without any right.
 */
export function roleStatements(globals: string, missing: readonly string[]): RoleStatements[] {
  const statements = splitStatements(globals);
  const created = new Set(missing);
  const own = missing.map((role) => ({
    role,
    statements: [
      `CREATE ROLE ${quoteRole(role)}`,
      ...statements.flatMap((statement) => {
        const [, what, name] = ABOUT_ROLE.exec(statement) ?? [];
        if (what === undefined || what === 'CREATE ROLE' || unquoted(name ?? '') !== role) return [];
        // Settings for one database come back with that database.
        return statement.includes(' IN DATABASE ') ? [] : [withoutOpenDoor(statement)];
      }),
    ],
  }));
  const memberships = statements.flatMap((statement) => {
    const [, , member] = MEMBERSHIP.exec(statement) ?? [];
    const role = unquoted(member ?? '');
    return created.has(role) ? [{ role, statements: [statement.replace(GRANTOR, '')] }] : [];
  });
  return [...own, ...memberships];
}

/** Every role that the globals create. */
export function rolesIn(globals: string): string[] {
  return splitStatements(globals).flatMap((statement) => {
    const [, what, name] = ABOUT_ROLE.exec(statement) ?? [];
    return what === 'CREATE ROLE' && name !== undefined ? [unquoted(name)] : [];
  });
}

/** Every tablespace that the globals create. */
export function tablespacesIn(globals: string): string[] {
  return splitStatements(globals).flatMap((statement) => {
    const [, name] = TABLESPACE.exec(statement) ?? [];
    return name === undefined ? [] : [unquoted(name)];
  });
}

/** A role that could log in without a password would be let in wherever pg_hba.conf trusts. */
function withoutOpenDoor(statement: string): string {
  if (!/^ALTER ROLE (?:"(?:[^"]|"")+"|\S+) WITH /.test(statement) || / PASSWORD '/.test(statement)) return statement;
  return statement.replace(/ LOGIN\b/, ' NOLOGIN');
}

function quoteRole(role: string): string {
  return `"${role.replaceAll('"', '""')}"`;
}

function unquoted(identifier: string): string {
  return identifier.startsWith('"') ? identifier.slice(1, -1).replaceAll('""', '"') : identifier;
}

/**
 * The statements of a script without comments, psql's own commands and the closing semicolons. Strings are those of
 * standard_conforming_strings, which the tools set.
 */
export function splitStatements(script: string): string[] {
  const statements: string[] = [];
  let statement = '';
  let quote = '';
  for (const line of script.split('\n')) {
    if (quote === '' && statement.trim() === '' && /^\s*(--|\\)/.test(line)) continue;
    for (const character of `${line}\n`) {
      if (quote === '' && character === ';') {
        statements.push(statement.trim());
        statement = '';
        continue;
      }
      if (character === quote) quote = '';
      else if (quote === '' && (character === "'" || character === '"')) quote = character;
      statement += character;
    }
  }
  return [...statements, statement.trim()].filter((each) => each !== '');
}
