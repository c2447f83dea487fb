/** What happens to TBCV while its machine goes on: a file corrupted, rows deleted, rows damaged unseen, files taken hostage. */
import { createCipheriv, randomBytes } from 'node:crypto';
import { open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { BackupResult, CleanPointResult, RowsResult } from '../../../src/workflows/contract.ts';
import type { Client } from '../client.ts';
import type { Disaster } from '../example.ts';
import type { Operator } from '../operator.ts';
import type { Stack } from '../stack.ts';

const NAME = 'tbcv';
const HOUR = 3600;
const PAGE_BYTES = 4096;
const A_FEW = 25;
/** Rules as an editor of a magazine would have them: enough of them that those which were taken hostage stand out. */
export const RULES = 12;

export interface Place {
  readonly stack: Stack;
  readonly client: Client;
  /** The database. */
  readonly file: string;
}

function withDatabase<T>(file: string, use: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(file, { timeout: 30_000 });
  try {
    return use(database);
  } finally {
    database.close();
  }
}

/** Throws with what is wrong. */
export function sound(file: string): Promise<string> {
  const verdict = withDatabase(file, (database) => [
    database.prepare('PRAGMA integrity_check').get()?.['integrity_check'],
    database.prepare('PRAGMA foreign_key_check').all().length,
  ]);
  if (verdict[0] !== 'ok' || verdict[1] !== 0) throw new Error(`integrity: ${verdict.join(', ')}`);
  return Promise.resolve('integrity_check is ok, no foreign key leads nowhere');
}

export function corrupted({ file, client }: Place): Disaster {
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
      const result = await operator.whole(NAME, '--component', 'database');
      if (result.aside.length === 0) throw new Error('the broken file was not kept aside');
    },
    check: () => sound(file),
  };
}

export function deleted({ file, client }: Place): Disaster {
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

/** In the newest backup the first are damaged already; the others are damaged, and some deleted, after it. */
const DAMAGED_BEFORE = 'id BETWEEN 16 AND 20';
const DAMAGED_AFTER = 'id BETWEEN 21 AND 25';
const DELETED_AFTER = 'id BETWEEN 26 AND 30';

export function partlyLost({ file, client }: Place): Disaster {
  const damage = (which: string): void =>
    withDatabase(file, (database) => {
      database.exec(`UPDATE workflows SET state = 'x9' WHERE ${which}`);
    });
  return {
    name: 'partial',
    title: 'Some records are damaged unseen, then more, and some are gone: the good ones of two backups make one',
    rows: ['B8'],
    objective: { rtoSeconds: HOUR, rpoSeconds: HOUR },
    plans: ['hourly'],
    async break(operator) {
      damage(DAMAGED_BEFORE);
      await backup(operator, 'hourly');
      damage(DAMAGED_AFTER);
      withDatabase(file, (database) => {
        database.exec(`PRAGMA foreign_keys = OFF; DELETE FROM workflows WHERE ${DELETED_AFTER}`);
      });
      return 'ten workflows are damaged, five of them in the newest backup already; five more are gone';
    },
    seen: () => client.trouble(),
    async bringBack(operator) {
      const merge = ['--table', 'workflows', '--backups', '2', '--valid', "state = 'done'", '--on-changed', 'restore'];
      const { added, replaced } = await operator.approved<RowsResult>(
        ['rows', NAME, 'database', '--plan', 'hourly', ...merge],
        () => ['of each workflow the newest good record of two backups; what is good in the live database stays'],
      );
      if (added !== 5 || replaced !== 10) throw new Error(`${added} added, ${replaced} replaced, of 5 and 10`);
    },
    check: () => sound(file),
    losesNothing: true,
  };
}

async function backup(operator: Operator, plan: string): Promise<BackupResult> {
  const result = await operator.ask<BackupResult>('backup', NAME, plan);
  if (result.outcome !== 'done') throw new Error(`the backup was ${result.outcome}`);
  return result;
}

/** As a program does that takes files hostage: its bytes sealed in place. */
async function encrypt(file: string): Promise<void> {
  const cipher = createCipheriv('aes-256-ctr', randomBytes(32), randomBytes(16));
  await writeFile(file, Buffer.concat([cipher.update(await readFile(file)), cipher.final()]));
}

export function ransomware({ stack, file, client }: Place): Disaster {
  const rules = join(stack.directory, 'rules');
  return {
    name: 'ransomware',
    title:
      'Files are taken hostage, the night’s backup holds them, then the database: a clean point is found and restored',
    rows: ['B8'],
    // Recovery at level 2: the machine's data is lost as with its hardware.
    objective: { rtoSeconds: 4 * HOUR, rpoSeconds: 24 * HOUR },
    plans: [],
    async break(operator) {
      // Of files that never changed nobody can tell whether they were ever readable: the day's work is a rule.
      await writeFile(join(rules, `rule-${RULES + 1}.yaml`), ruleText(RULES + 1));
      await backup(operator, 'daily');
      await client.more(A_FEW);
      for (const name of await readdir(rules)) {
        await encrypt(join(rules, name));
        await rename(join(rules, name), join(rules, `${name}.locked`));
      }
      const { backup: bad = '' } = await backup(operator, 'daily');
      await stack.halt(NAME);
      await encrypt(file);
      await stack.container(NAME).start();
      return `every rule is encrypted, the backup ${bad} holds them so, and the database is encrypted too`;
    },
    seen: () => client.trouble(),
    async bringBack(operator) {
      await stack.halt(NAME);
      const found = await operator.ask<CleanPointResult>('clean-point', NAME, '--plan', 'daily', '--backups', '3');
      const { outcome, backup: clean = '', pointAt = '', notClean } = found;
      if (outcome !== 'found' || notClean.length !== 1)
        throw new Error(`no clean point: ${JSON.stringify(found.verdicts)}`);
      operator.tell(`the newest clean backup is ${clean} of ${pointAt}; not clean: ${notClean.join(', ')}`);
      // Nothing newer than the clean point is taken, of no plan.
      const until = new Date(Date.parse(pointAt) + 1).toISOString();
      const { aside } = await operator.whole(NAME, '--before', until);
      if (aside.length === 0) throw new Error('what was encrypted was not kept aside for whoever looks into it');
    },
    async check() {
      const left = (await readdir(rules)).filter((name) => name.endsWith('.locked'));
      if (left.length > 0) throw new Error(`${left.length} rules are encrypted still`);
      const text = await readFile(join(rules, 'rule-1.yaml'), 'utf8');
      if (text !== ruleText(1)) throw new Error('rule-1.yaml is not what it was');
      return sound(file);
    },
  };
}

/** Of a rule, long enough to tell text from noise. */
export function ruleText(index: number): string {
  const line = (n: number): string =>
    `  - match: "word ${index * 100 + n}"\n    say: write something shorter instead\n`;
  return `name: rule ${index}\nwords:\n${Array.from({ length: 60 }, (_, n) => line(n)).join('')}`;
}
