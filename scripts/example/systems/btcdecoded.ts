/** BTCDecoded: the application, its unit and its database are lost; three phases bring them back. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { waitFor } from '../../../sample/stack/processes.ts';
import { freePort } from '../../../src/engine/ports.ts';
import type { PostgresServer } from '../../../test/support/postgres.ts';
import { Client } from '../client.ts';
import { gcsStore, s3Stores } from '../clouds.ts';
import type { Disaster, Example, Scene, Stage } from '../example.ts';
import { grantRoles, hostPostgres, roleSecret, timeOf } from '../host-postgres.ts';
import { packagesBelow } from '../images.ts';
import { rootOf } from '../stack.ts';
import { seconds } from '../times.ts';
import { Unit } from '../unit.ts';

const NAME = 'btcdecoded';
const DATABASE = 'governance';
const HOUR = 3600;
const RPO_OF_DATABASE_SECONDS = 15 * 60;
const LIMIT_MS = 300_000;

interface Place {
  readonly stage: Stage;
  readonly home: string;
  readonly unitFile: string;
  readonly unit: Unit;
  readonly server: PostgresServer;
  readonly client: Client;
}

async function modeOf(file: string): Promise<string> {
  return ((await stat(file)).mode & 0o777).toString(8);
}

function hostLost(place: Place): Disaster {
  const { stage, home, unitFile, unit, server, client } = place;
  const key = join(home, 'keys/signing.key');
  let moment = '';
  return {
    name: 'host',
    title: 'The application, its unit and its database are lost: assessment, recovery, validation',
    rows: ['G5', 'G7', 'G3', 'G2'],
    // The full system; how its tiers and parts fare is judged by the restore itself.
    objective: { rtoSeconds: 8 * HOUR, rpoSeconds: RPO_OF_DATABASE_SECONDS },
    plans: ['application', 'databases'],
    async break() {
      moment = await timeOf(server);
      // A server recovers to a time by the commits before it: of a drop that no commit divides from the moment some would come along.
      await client.more(1);
      await unit.stop('SIGKILL');
      await rm(home, { recursive: true });
      await rm(unitFile);
      await server.sql(`DROP DATABASE ${DATABASE} WITH (FORCE)`);
      return `${home}, its unit and the database ${DATABASE} are gone`;
    },
    seen: () => client.trouble(),
    async bringBack(operator) {
      stage.say('Phase 1, assessment: what is gone, what there is to bring it back, what would be lost');
      const looked = await operator.run('monitor', NAME);
      for (const line of looked.stdout.split('\n').filter((one) => one.startsWith('critical'))) stage.say(`  ${line}`);
      const all = ['--whole', '--before', moment];
      const shown = await waitFor('the log of that moment to be stored', LIMIT_MS, async () => {
        const { code, stdout } = await operator.holdfast.run('restore', NAME, ...all, '--dry-run');
        return code === 0 && !stdout.includes('log does not lead further') ? stdout : undefined;
      });
      operator.show(['restore', NAME, ...all, '--dry-run']);
      for (const line of shown.split('\n')) stage.say(`  ${line}`);
      stage.say('Phase 2, recovery: everything beside, checked, swapped in; the service is started last');
      await Promise.all([operator.whole(NAME, '--before', moment), startedAgain(place)]);
      stage.say('Phase 3, validation: function was asked by the checks of the system file; data, security');
    },
    async check({ kept }) {
      stage.say(`  ${await lossOfDatabase(place, moment)}`);
      const modes = [await modeOf(key), await modeOf(join(home, '.env'))];
      if (modes.join() !== '400,600') throw new Error(`the modes of keys and .env are ${modes.join(' and ')}`);
      const owner = await server.value(`SELECT tableowner FROM pg_tables WHERE tablename = 'proposals'`, {
        database: DATABASE,
      });
      if (owner !== DATABASE) throw new Error(`the table belongs to ${String(owner)}`);
      return `${kept} proposals with their votes; the signing key is 0400, .env 0600, the table belongs to its role`;
    },
  };
}

/** As a person does in another terminal once the files are back: what asks whether the service is healthy waits for that. */
async function startedAgain({ stage, home, unitFile, unit, server }: Place): Promise<void> {
  const files = [unitFile, ...['.env', 'bin/btcdecoded.ts', 'data/governance.db'].map((name) => join(home, name))];
  await waitFor('the files and the database to be back', LIMIT_MS, async () => {
    if (!files.every((file) => existsSync(file))) return undefined;
    const proposals = await server
      .value('SELECT count(*) FROM proposals', { database: DATABASE })
      .catch(() => undefined);
    return proposals === undefined ? undefined : true;
  });
  stage.say('$ systemctl daemon-reload && systemctl start governance-app');
  await unit.start();
}

/** The database alone, whose log is kept: what was acknowledged until the moment, and how far back its loss reaches. */
async function lossOfDatabase({ server, client }: Place, moment: string): Promise<string> {
  const rows = await server.sql('SELECT id FROM proposals', { database: DATABASE });
  const there = new Set(rows.map(({ id }) => Number(id)));
  const owed = [...client.acknowledged].filter(([, atMs]) => atMs <= Date.parse(moment));
  const lost = owed.filter(([id]) => !there.has(id));
  const lostSeconds = lost.length === 0 ? 0 : (Date.parse(moment) - Math.min(...lost.map(([, atMs]) => atMs))) / 1000;
  if (lostSeconds > RPO_OF_DATABASE_SECONDS) throw new Error(`the database lost ${seconds(lostSeconds)}`);
  return `PostgreSQL as of ${moment}: RPO ${seconds(lostSeconds)}, objective ${seconds(RPO_OF_DATABASE_SECONDS)}; ${lost.length} of ${owed.length} proposals lost`;
}

/** The application as a deployment would leave it. */
async function install(stage: Stage, home: string, unitFile: string, url: string): Promise<void> {
  const own = join(stage.source, NAME);
  for (const below of ['bin', 'data', 'keys', 'logs']) await mkdir(join(home, below), { recursive: true });
  for (const part of ['config', 'migrations']) await cp(join(own, part), join(home, part), { recursive: true });
  for (const file of ['http.ts', 'btcdecoded.ts', 'package.json']) {
    await cp(join(stage.source, 'services', file), join(home, 'bin', file));
  }
  for (const [name, from] of Object.entries(packagesBelow('pg'))) {
    await cp(from, join(home, 'bin/node_modules', name), { recursive: true });
  }
  await writeFile(join(home, '.env'), `DATABASE_URL=${url}\n`, { mode: 0o600 });
  await writeFile(join(home, 'keys/signing.key'), randomBytes(32).toString('hex'), { mode: 0o400 });
  await mkdir(dirname(unitFile), { recursive: true });
  const unit = await readFile(join(own, 'governance-app.service'), 'utf8');
  await writeFile(unitFile, unit.replaceAll('/opt/', `${rootOf(stage)}/opt/`));
}

export const btcdecoded: Example = {
  name: NAME,
  title: 'BTCDecoded: a governance application under systemd, PostgreSQL and SQLite',
  plans: ['databases', 'application', 'votes'],
  everyday: true,
  async open(stage: Stage): Promise<Scene> {
    const server = await hostPostgres(stage);
    const home = join(rootOf(stage), 'opt/governance-app');
    const unitFile = join(rootOf(stage), 'etc/systemd/system/governance-app.service');
    const password = randomBytes(18).toString('hex');
    await server.sql(`CREATE ROLE ${DATABASE} LOGIN PASSWORD '${password}'`);
    await server.sql(`CREATE DATABASE ${DATABASE} OWNER ${DATABASE}`);
    const login = { user: DATABASE, password, database: DATABASE };
    await server.sql(await readFile(join(stage.source, NAME, 'migrations/0001-proposals.sql'), 'utf8'), login);
    await install(stage, home, unitFile, `postgres://${DATABASE}:${password}@127.0.0.1:${server.port}/${DATABASE}`);
    const port = await freePort();
    const unit = new Unit(unitFile, { PORT: String(port) });
    stage.cleanup.add(() => unit.stop());
    await unit.start();
    const s3 = await s3Stores(
      stage.cleanup,
      { primary: { bucket: 'btcdecoded-backups', region: 'us-east-1' } },
      { id: ['BTCDECODED_BACKUP_ACCESS_KEY_ID'], secret: ['BTCDECODED_BACKUP_SECRET_ACCESS_KEY'] },
    );
    const roles = {
      holdfast_backup: await roleSecret(stage, '/etc/holdfast/governance-backup.password'),
      holdfast_restore: await roleSecret(stage, '/etc/holdfast/governance-restore.password'),
    };
    const client = new Client(() => Promise.resolve(`http://127.0.0.1:${port}`), 'proposals');
    return {
      client,
      differences: {
        root: rootOf(stage),
        projects: {},
        stores: { ...s3.stores, secondary: { ...(await gcsStore(stage.cleanup)), storageClass: undefined } },
        // There are none yet of yesterday.
        without: ['logs'],
        set: [
          ...['database', 'cluster'].flatMap((component) => [
            { at: ['components', component, 'server', 'address'], value: '127.0.0.1' },
            { at: ['components', component, 'server', 'port'], value: server.port },
          ]),
          { at: ['components', 'cluster', 'dataDirectory'], value: server.data },
          { at: ['checks', 'health', 'http', 'url'], value: `http://127.0.0.1:${port}/health` },
          { at: ['components', 'unit'], value: { kind: 'files', path: unitFile } },
        ],
      },
      environment: s3.environment,
      afterInit: (operator) =>
        grantRoles(server, operator, { system: NAME, components: ['cluster', 'database'] }, roles),
      disasters: [hostLost({ stage, home, unitFile, unit, server, client })],
      differs: [
        `its paths lie below ${rootOf(stage)}; PostgreSQL 15 runs there too, on a port of its own`,
        'its buckets are of versitygw and fake-gcs-server on loopback; it has no logs of yesterday, so none are captured',
        'no systemd runs it: its unit is a component of files, and what it says is started by hand',
      ],
    };
  },
};
