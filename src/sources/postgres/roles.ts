/** Roles that a dump's owners and grants need: those missing on the target are made, the others are left as they are. */
import { escapeIdentifier, type Client } from 'pg';
import { postgresFailure } from '../../postgres/errors.ts';
import { roleStatements } from './globals.ts';

/** Which of these the server does not know. */
export async function missingRoles(client: Client, wanted: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT name FROM unnest($1::text[]) AS name
     WHERE name <> ALL (SELECT rolname::text FROM pg_roles) AND name !~ '^pg_' ORDER BY name`,
    [[...new Set(wanted)]],
  );
  return rows.map(({ name }) => name);
}

/**
 * Makes the missing ones as the globals have them, in one transaction. A statement that this server or this role's
 * rights refuse is left out and told; so the answer is what differs from the dump, in words. Throws when a role can't
 * be made at all.
 */
export async function createRoles(client: Client, globals: string, missing: readonly string[]): Promise<string[]> {
  const told: string[] = [];
  await client.query('BEGIN');
  try {
    for (const { role, statements } of roleStatements(globals, missing)) {
      for (const statement of statements) {
        const refused = await tried(client, statement);
        if (refused === undefined) continue;
        if (statement.startsWith('CREATE ROLE')) throw refused;
        // Never the statement itself: it may hold the hash of a password.
        told.push(`role ${role}: ${statement.split(' ').slice(0, 2).join(' ')} was refused (${refused.message})`);
      }
    }
    await client.query('COMMIT');
    return told;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw postgresFailure(error, `make the roles ${missing.join(', ')}`);
  }
}

async function tried(client: Client, statement: string): Promise<Error | undefined> {
  await client.query('SAVEPOINT one');
  try {
    await client.query(statement);
    await client.query('RELEASE SAVEPOINT one');
    return undefined;
  } catch (error) {
    await client.query('ROLLBACK TO SAVEPOINT one');
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Removes what `createRoles` made, as far as nothing belongs to it. */
export async function dropRoles(client: Client, roles: readonly string[]): Promise<void> {
  for (const role of roles) {
    // Refused when somebody has come to use it: then it stays.
    await client.query(`DROP ROLE IF EXISTS ${escapeIdentifier(role)}`).catch(() => undefined);
  }
}
