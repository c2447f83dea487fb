/** TBCV: its SQLite file corrupted, rows deleted by accident, and its machine gone. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { freePort } from '../../../src/engine/ports.ts';
import { Client } from '../client.ts';
import { s3Stores } from '../clouds.ts';
import type { Disaster, Example, Scene, Stage } from '../example.ts';
import { machineGone } from '../new-machine.ts';
import { rootOf, Stack } from '../stack.ts';

const NAME = 'tbcv';
const HOUR = 3600;
const PAGE_BYTES = 4096;

function withDatabase<T>(file: string, use: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(file, { timeout: 30_000 });
  try {
    return use(database);
  } finally {
    database.close();
  }
}

function corrupted(file: string, client: Client): Disaster {
  return {
    name: 'corruption',
    title: 'The database file is corrupted: recovery at level 1',
    rows: ['B7', 'B8'],
    objective: { rtoSeconds: HOUR, rpoSeconds: HOUR },
    plans: ['hourly'],
    async break() {
      withDatabase(file, (database) => database.exec('PRAGMA wal_checkpoint(TRUNCATE)'));
      const handle = await open(file, 'r+');
      // From the second page on: the file still looks like a database.
      await handle.write(randomBytes(6 * PAGE_BYTES), 0, 6 * PAGE_BYTES, PAGE_BYTES);
      await handle.close();
      return `six pages of ${file} are overwritten with noise`;
    },
    seen: () => client.trouble(),
    async bringBack(operator) {
      const result = await operator.restore(NAME, '--plan', 'hourly', '--component', 'database');
      if (result.aside.length === 0) throw new Error('the broken file was not kept aside');
    },
    check: () => sound(file),
  };
}

/** Throws with what is wrong. */
function sound(file: string): Promise<string> {
  const verdict = withDatabase(file, (database) => [
    database.prepare('PRAGMA integrity_check').get()?.['integrity_check'],
    database.prepare('PRAGMA foreign_key_check').all().length,
  ]);
  if (verdict[0] !== 'ok' || verdict[1] !== 0) throw new Error(`integrity: ${verdict.join(', ')}`);
  return Promise.resolve('integrity_check is ok, no foreign key leads nowhere');
}

function deleted(file: string, client: Client): Disaster {
  const chosen = (column: string): string => `${column} BETWEEN 5 AND 15`;
  return {
    name: 'deletion',
    title: 'Workflows are deleted by accident: only those come back, while everybody goes on',
    rows: ['B8'],
    objective: { rtoSeconds: HOUR, rpoSeconds: HOUR },
    plans: ['hourly'],
    break() {
      // As somebody does who works around the application: its rows' children go too.
      withDatabase(file, (database) => {
        database.exec(`PRAGMA foreign_keys = ON; DELETE FROM validation_results WHERE ${chosen('workflow_id')};
          DELETE FROM workflows WHERE ${chosen('id')} AND id <> 5`);
      });
      return Promise.resolve('ten workflows are gone, and the results of eleven');
    },
    seen: () => client.trouble(),
    async bringBack(operator) {
      const tables: [string, string][] = [
        ['workflows', 'id'],
        ['validation_results', 'workflow_id'],
        ['recommendations', 'workflow_id'],
      ];
      const which = tables.flatMap(([table, column]) => ['--table', table, '--where', chosen(column)]);
      await operator.approved(['rows', NAME, 'database', ...which], () => ['what is missing is added']);
    },
    losesNothing: true,
  };
}

async function writeState(directory: string): Promise<void> {
  await writeFile(join(directory, '.audit_log.jsonl'), '', { mode: 0o640 });
  for (const day of ['2026-01-01', '2026-01-02', '2026-01-03']) {
    await mkdir(join(directory, '.checkpoints', day), { recursive: true });
    await writeFile(join(directory, '.checkpoints', day, 'workflow.json'), JSON.stringify({ day, step: 3 }));
  }
}

export const tbcv: Example = {
  name: NAME,
  title: 'TBCV: a validation service on one SQLite file',
  plans: ['hourly', 'truth', 'config', 'checkpoints', 'daily'],
  async open(stage: Stage): Promise<Scene> {
    const home = join(rootOf(stage), 'opt/tbcv');
    await mkdir(join(home, 'data'), { recursive: true });
    await mkdir(join(rootOf(stage), 'mnt/backup/tbcv'), { recursive: true });
    await writeState(home);
    const services = await stage.image('services');
    const port = await freePort();
    const variables = { SERVICES_IMAGE: services, TBCV_PORT: String(port) };
    const stack = await Stack.start(stage, { name: NAME, home: '/opt/tbcv', variables });
    const clouds = await s3Stores(
      stage.cleanup,
      { offsite: { bucket: 'tbcv-backups', region: 'eu-central-1' } },
      { id: ['TBCV_BACKUP_ACCESS_KEY_ID'], secret: ['TBCV_BACKUP_SECRET_ACCESS_KEY'] },
    );
    const client = new Client(() => Promise.resolve(`http://127.0.0.1:${port}`), 'workflows');
    const file = join(home, 'data/tbcv.db');
    const hardware = machineGone({
      ...{ stage, stack, client, plan: 'daily', rows: ['B8', 'B7'] },
      storeUrl: `s3://tbcv-backups/tbcv?endpoint=${clouds.endpoint}`,
      // Recovery at level 2.
      objective: { rtoSeconds: 4 * HOUR, rpoSeconds: 24 * HOUR },
      check: () => sound(file),
    });
    return {
      client,
      differences: {
        root: rootOf(stage),
        projects: { [NAME]: stack.project },
        stores: { ...clouds.stores, nfs: { mustBeMounted: undefined } },
        without: ['engine'],
        set: [
          { at: ['notify'], value: undefined },
          { at: ['escalation'], value: undefined },
        ],
      },
      environment: { ...clouds.environment, ...clouds.forBreakGlass },
      disasters: [corrupted(file, client), deleted(file, client), hardware],
      differs: [
        `its paths lie below ${rootOf(stage)}, its Compose project is ${stack.project}`,
        'its bucket is of a server on loopback, and its NAS a directory that is no mount',
        'it is on SQLite: without the component `engine`; nobody is told by mail',
        'nothing runs by its schedule: the plans are run by hand',
      ],
    };
  },
};
