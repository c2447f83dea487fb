/** Tracktion: the database dropped, then the audio files deleted. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '../../../sample/stack/processes.ts';
import { freePort } from '../../../src/engine/ports.ts';
import type { PostgresServer } from '../../../test/support/postgres.ts';
import { Client } from '../client.ts';
import { s3Stores } from '../clouds.ts';
import type { Disaster, Example, Scene, Stage } from '../example.ts';
import { grantRoles, hostPostgres, roleSecret, timeOf } from '../host-postgres.ts';
import type { Operator } from '../operator.ts';
import { rootOf, Stack } from '../stack.ts';

const NAME = 'tracktion';
const MINUTE = 60;
const LIMIT_MS = 300_000;
const AROUND = ['analysis-service', 'file-watcher', 'tracklist-service', 'notification-service'];

function databaseLost(server: PostgresServer, client: Client): Disaster {
  let moment = '';
  const restore = (): string[] => ['restore', NAME, '--component', 'cluster', '--to-time', moment];
  return {
    name: 'database',
    title: 'The database is dropped: back to the moment before',
    rows: ['T1', 'T9'],
    objective: { rtoSeconds: 30 * MINUTE, rpoSeconds: 15 * MINUTE },
    plans: [],
    async break() {
      moment = await timeOf(server);
      await server.sql(`DROP DATABASE ${NAME} WITH (FORCE)`);
      return `DROP DATABASE ${NAME}, just after ${moment}`;
    },
    seen: () => client.trouble(),
    async bringBack(operator: Operator) {
      await waitFor('the log of that moment to be stored', LIMIT_MS, async () => {
        const { code } = await operator.holdfast.run(...restore(), '--dry-run');
        return code === 0 ? true : undefined;
      });
      await operator.restore(...restore().slice(1));
    },
    async check() {
      const wrong = await server.value(
        `SELECT count(*) FROM audio_files LEFT JOIN tracklists t ON t.audio_file = audio_files.id
         LEFT JOIN analysis_results r ON r.audio_file = audio_files.id WHERE t.audio_file IS NULL OR r.audio_file IS NULL`,
        { database: NAME },
      );
      if (Number(wrong) !== 0) throw new Error(`${String(wrong)} tracks are without tracklist or analysis`);
      return 'audio_files, tracklists and analysis_results fit each other';
    },
  };
}

/** Tracks that came after the backup have lost their file for good: their rows go, and their users are asked again. */
async function reconcile(server: PostgresServer, audio: string): Promise<string> {
  const rows = await server.sql('SELECT id FROM audio_files', { database: NAME });
  const tracks = rows.map(({ id }) => Number(id));
  const lost = tracks.filter((id) => !existsSync(join(audio, String(id % 10), `${id}.wav`)));
  if (lost.length === 0) return 'every track has its file';
  const list = lost.join();
  for (const table of ['tracklists', 'analysis_results']) {
    await server.sql(`DELETE FROM ${table} WHERE audio_file IN (${list})`, { database: NAME });
  }
  await server.sql(`DELETE FROM audio_files WHERE id IN (${list})`, { database: NAME });
  return `${lost.length} tracks came after the backup and have lost their file: their rows go, their users are asked again`;
}

function audioDeleted(stage: Stage, server: PostgresServer, audio: string, client: Client): Disaster {
  return {
    name: 'audio',
    title: 'Half of the audio files are deleted; everybody goes on',
    rows: ['T2', 'T9'],
    objective: { rtoSeconds: 120 * MINUTE, rpoSeconds: 60 * MINUTE },
    plans: ['files'],
    async break() {
      for (const name of (await readdir(audio)).filter((one) => Number(one) < 5))
        await rm(join(audio, name), { recursive: true, maxRetries: 10 });
      return `five of the ten directories of ${audio} are gone`;
    },
    seen: () => client.trouble(),
    async bringBack(operator: Operator) {
      await operator.approved(['missing', NAME, 'audio'], () => [
        'exactly what is missing is put back, nothing that is there is touched',
      ]);
      stage.say(await reconcile(server, audio));
    },
  };
}

export const tracktion: Example = {
  name: NAME,
  title: 'Tracktion: PostgreSQL with its log, audio files, five services',
  plans: ['daily', 'files', 'config'],
  everyday: true,
  async open(stage: Stage): Promise<Scene> {
    const server = await hostPostgres(stage);
    const password = randomBytes(18).toString('hex');
    await server.sql(`CREATE ROLE ${NAME} LOGIN PASSWORD '${password}'`);
    await server.sql(`CREATE DATABASE ${NAME} OWNER ${NAME}`);
    const login = { user: NAME, password, database: NAME };
    await server.sql(await readFile(join(stage.source, NAME, 'schema.sql'), 'utf8'), login);
    const audio = join(rootOf(stage), 'app/data/audio_files');
    for (const place of ['app/data/audio_files', 'app/data/user_uploads', 'app/logs', 'mnt/nas/tracktion']) {
      await mkdir(join(rootOf(stage), place), { recursive: true });
    }
    await writeFile(join(rootOf(stage), 'app/data/user_uploads/first.txt'), 'an upload\n');
    await writeFile(join(rootOf(stage), 'app/logs/old.log'), 'a line\n');
    const port = await freePort();
    const stack = await Stack.start(stage, {
      name: NAME,
      home: '/opt/tracktion',
      variables: {
        SERVICES_IMAGE: await stage.image('services'),
        API_PORT: String(port),
        AUDIO: audio,
        SOCKET: server.socket,
        DATABASE_URL: `postgres://${NAME}:${password}@/${NAME}?host=/var/run/postgresql&port=${server.port}`,
      },
    });
    const archive = { bucket: 'tracktion-archive', region: 'us-west-2' };
    const s3 = await s3Stores(
      stage.cleanup,
      { primary: { bucket: 'tracktion-backups', region: 'us-east-1' }, cool: archive, glacier: archive, deep: archive },
      { id: ['TRACKTION_BACKUP_ACCESS_KEY_ID'], secret: ['TRACKTION_BACKUP_SECRET_ACCESS_KEY'] },
    );
    const roles = {
      holdfast_backup: await roleSecret(stage, '/etc/holdfast/tracktion-backup.password'),
      holdfast_restore: await roleSecret(stage, '/etc/holdfast/tracktion-restore.password'),
    };
    const client = new Client(() => Promise.resolve(`http://127.0.0.1:${port}`), 'tracks');
    const probe = ['node', '/app/probe.ts', 'http://127.0.0.1:8000/health'];
    const onServer = ['cluster', 'database'].flatMap((component) => [
      { at: ['components', component, 'server', 'address'], value: '127.0.0.1' },
      { at: ['components', component, 'server', 'port'], value: server.port },
    ]);
    return {
      client,
      differences: {
        root: rootOf(stage),
        projects: { [NAME]: stack.project },
        stores: { ...s3.stores, nas: { mustBeMounted: undefined } },
        set: [
          ...onServer,
          { at: ['components', 'cluster', 'dataDirectory'], value: server.data },
          ...AROUND.map((service) => ({ at: ['checks', service, 'command'], value: probe })),
          { at: ['plans', 'config', 'git'], value: undefined },
          { at: ['notify'], value: undefined },
        ],
      },
      environment: s3.environment,
      afterInit: (operator) =>
        grantRoles(server, operator, { system: NAME, components: ['cluster', 'database'] }, roles),
      disasters: [databaseLost(server, client), audioDeleted(stage, server, audio, client)],
      differs: [
        `its paths lie below ${rootOf(stage)}; PostgreSQL 15 runs there too, on a port of its own`,
        'its buckets are of versitygw on loopback, its NAS a directory that is no mount; nobody is told',
        'its configuration is not committed to git',
      ],
    };
  },
};
