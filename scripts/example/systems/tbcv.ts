/** TBCV: the five scenarios of its guide, two of them its levels 1 and 2 of recovery. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../../src/engine/ports.ts';
import { Client } from '../client.ts';
import { s3Stores } from '../clouds.ts';
import type { Example, Scene, Stage } from '../example.ts';
import { machineGone } from '../new-machine.ts';
import { rootOf, Stack } from '../stack.ts';
import { corrupted, deleted, partlyLost, ransomware, RULES, ruleText, sound } from './tbcv-losses.ts';

const NAME = 'tbcv';
const HOUR = 3600;
async function writeState(directory: string): Promise<void> {
  await writeFile(join(directory, '.audit_log.jsonl'), '', { mode: 0o640 });
  for (const day of ['2026-01-01', '2026-01-02', '2026-01-03']) {
    await mkdir(join(directory, '.checkpoints', day), { recursive: true });
    await writeFile(join(directory, '.checkpoints', day, 'workflow.json'), JSON.stringify({ day, step: 3 }));
  }
  await mkdir(join(directory, 'rules'), { recursive: true });
  for (let index = 1; index <= RULES; index += 1) {
    await writeFile(join(directory, 'rules', `rule-${index}.yaml`), ruleText(index));
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
    const place = { stack, client, file };
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
          { at: ['checks', 'health', 'http', 'url'], value: `http://127.0.0.1:${port}/health` },
          { at: ['notify'], value: undefined },
          { at: ['escalation'], value: undefined },
        ],
      },
      environment: { ...clouds.environment, ...clouds.forBreakGlass },
      disasters: [corrupted(place), deleted(place), partlyLost(place), ransomware(place), hardware],
      differs: [
        `its paths lie below ${rootOf(stage)}, its Compose project is ${stack.project}`,
        'its bucket is of a server on loopback, and its NAS a directory that is no mount',
        'it is on SQLite: without the component `engine`; nobody is told by mail',
        'nothing runs by its schedule, only what follows changes: the plans are run by hand',
      ],
    };
  },
};
