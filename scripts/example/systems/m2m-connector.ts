/** The M2M connector: one container down, a ledger corrupted, and a machine gone with everything on it. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkLedger } from '../../../sample/ledger/check.ts';
import { ensureSampleImage } from '../../../sample/stack/image.ts';
import { freePort } from '../../../src/engine/ports.ts';
import { Client } from '../client.ts';
import { azureStore, gcsStore, s3Stores } from '../clouds.ts';
import type { Disaster, Example, Scene, Stage } from '../example.ts';
import { machineGone } from '../new-machine.ts';
import { rootOf, Stack } from '../stack.ts';

const NAME = 'm2m-connector';
const MINUTE = 60;
const HOUR = 3600;
const LEDGER_FILE = '0_0.tigerbeetle';

interface Place {
  readonly stage: Stage;
  readonly stack: Stack;
  readonly client: Client;
  readonly volume: string;
  /** As break glass names the primary store. */
  readonly storeUrl: string;
}

async function ledgerFile({ stack, volume }: Place): Promise<string> {
  return join((await stack.docker.getVolume(volume).inspect()).Mountpoint, LEDGER_FILE);
}

/** The file as of one moment, judged by the ledger's own check. */
async function wholeLedger(place: Place): Promise<string> {
  const ledger = place.stack.container('ledger');
  await ledger.pause();
  try {
    const check = await checkLedger(await ledgerFile(place));
    if (!check.ok || check.debits !== check.credits) throw new Error(check.problems.join('; '));
    return `the ledger's chain is valid up to record ${check.records}, debits and credits are equal`;
  } finally {
    await ledger.unpause();
  }
}

function containerDown(place: Place): Disaster {
  const { stack, client } = place;
  return {
    name: 'container',
    title: 'One container is down; its data is as it was',
    rows: ['M6'],
    objective: { rtoSeconds: 15 * MINUTE, rpoSeconds: 0 },
    plans: [],
    async break() {
      await stack.container('connector').kill();
      return 'the connector is killed';
    },
    seen: () => client.trouble(),
    async bringBack(operator) {
      const looked = await operator.run('monitor', NAME);
      const told = looked.stdout.split('\n').find((line) => line.includes('container'));
      if (looked.code !== 1 || told === undefined) throw new Error(`the container is not missed: ${looked.stdout}`);
      place.stage.say(`  ${told.trim()}`);
      const { code, stdout, stderr } = await operator.run('restart', NAME);
      if (code !== 0) throw new Error(`the restart did not help: ${stderr}${stdout}`);
    },
    losesNothing: true,
  };
}

function corrupted(place: Place): Disaster {
  const { stack, client } = place;
  return {
    name: 'corruption',
    title: 'The ledger’s file is corrupted: the ledger listens and never serves',
    rows: ['M5', 'M6'],
    objective: { rtoSeconds: HOUR, rpoSeconds: HOUR },
    plans: ['hourly'],
    async break() {
      await stack.container('ledger').kill();
      const file = await open(await ledgerFile(place), 'r+');
      await file.write(randomBytes(64 * 1024), 0, 64 * 1024, 0);
      await file.close();
      await stack.container('ledger').start();
      return `the first 64 KiB of ${LEDGER_FILE} are noise, and the ledger is started on it`;
    },
    seen: () => client.trouble(),
    async bringBack(operator) {
      const result = await operator.whole(NAME, '--component', 'ledger');
      if (result.aside.length === 0) throw new Error('the corrupted ledger was not kept aside');
    },
    check: () => wholeLedger(place),
  };
}

function lostMachine(place: Place): Disaster {
  const objective = { rtoSeconds: 8 * HOUR, rpoSeconds: 24 * HOUR };
  return machineGone({ ...place, plan: 'daily', rows: ['M6'], objective, check: () => wholeLedger(place) });
}

/** What a person puts beside the repository's files: the sealed seed, certificates. */
async function writeSecrets(directory: string): Promise<void> {
  for (const below of ['data/wallet', 'certs']) await mkdir(join(directory, below), { recursive: true });
  await writeFile(join(directory, 'data/wallet/master-seed.enc'), randomBytes(96), { mode: 0o600 });
  await writeFile(join(directory, 'certs/connector.key'), randomBytes(48).toString('base64'), { mode: 0o600 });
}

export const m2mConnector: Example = {
  name: NAME,
  title: 'M2M connector: a ledger that must not be torn, a wallet, three clouds',
  plans: ['hourly', 'daily', 'config', 'weekly'],
  async open(stage: Stage): Promise<Scene> {
    const directory = join(rootOf(stage), 'opt/m2m');
    await writeSecrets(directory);
    const ledgerImage = await ensureSampleImage(stage.docker, (text) => stage.say(text));
    const port = await freePort();
    const volume = `example-${NAME}-${stage.suffix}-ledger`;
    const stack = await Stack.start(stage, {
      name: NAME,
      home: '/opt/m2m',
      file: 'docker-compose-production.yml',
      variables: {
        LEDGER_IMAGE: ledgerImage,
        SERVICES_IMAGE: await stage.image('services'),
        CONNECTOR_PORT: String(port),
        LEDGER_VOLUME: volume,
      },
    });
    const s3 = await s3Stores(
      stage.cleanup,
      { primary: { bucket: 'm2m-backups', region: 'us-east-1' } },
      {
        id: ['M2M_BACKUP_ACCESS_KEY_ID', 'M2M_KEEPER_ACCESS_KEY_ID'],
        secret: ['M2M_BACKUP_SECRET_ACCESS_KEY', 'M2M_KEEPER_SECRET_ACCESS_KEY'],
      },
    );
    const azure = await azureStore(stage.cleanup, 'M2M_BACKUP_AZURE_KEY');
    const client = new Client(() => Promise.resolve(`http://127.0.0.1:${port}`), 'payments');
    const storeUrl = `s3://m2m-backups/m2m-connector?endpoint=${s3.endpoint}`;
    const place = { stage, stack, client, volume, storeUrl };
    const check = { kind: 'ledger', file: LEDGER_FILE, image: ledgerImage };
    return {
      client,
      differences: {
        root: rootOf(stage),
        projects: { m2m: stack.project },
        stores: { ...s3.stores, secondary: await gcsStore(stage.cleanup), tertiary: azure.store },
        without: ['prometheus', 'grafana'],
        set: [
          { at: ['components', 'ledger', 'volume'], value: volume },
          { at: ['components', 'ledger', 'check'], value: check },
          { at: ['checks', 'health', 'http', 'url'], value: `http://127.0.0.1:${port}/health` },
          { at: ['monitor', 'disks'], value: undefined },
          { at: ['monitor', 'ping'], value: undefined },
          { at: ['notify'], value: undefined },
          { at: ['drills', 'quarterly', 'tellBefore'], value: undefined },
          { at: ['escalation'], value: undefined },
        ],
      },
      environment: {
        ...s3.environment,
        ...azure.environment,
        ...s3.forBreakGlass,
      },
      disasters: [containerDown(place), corrupted(place), lostMachine(place)],
      differs: [
        `its paths lie below ${rootOf(stage)}, its Compose project is ${stack.project}`,
        'its three stores are versitygw, fake-gcs-server and Azurite on loopback',
        'its ledger is the stand-in, checked by its own program; without Prometheus and Grafana; nobody is told',
        'nothing runs by its schedule, only what follows changes: the plans are run by hand',
      ],
    };
  },
};
