/** What the fate of messages says of a channel: whoever delivers opens its incident and heals it. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deliverNotice } from '../../src/activities/deliver-notice.ts';
import { reconcileIncidents } from '../../src/activities/incidents.ts';
import type { Run } from '../../src/activities/shell.ts';
import { log } from '../../src/observe/log.ts';
import { registerSystem } from '../../src/system/index.ts';
import { workflowIds, type IncidentState } from '../../src/workflows/contract.ts';
import { temporaryHome } from '../engine/home.ts';
import { holdfast } from '../cli/holdfast.ts';
import { NOTICE } from '../notify/notice.ts';
import { NoticeReceiver } from '../support/notice-receiver.ts';
import { keySection } from '../system/keys.ts';
import { playOn } from './server.ts';
import { M8_POLICY } from './world-incidents.ts';

const play = playOn();
const SYSTEM = 'shop';
let home: ReturnType<typeof temporaryHome>;
/** The program of the channel takes messages while this file is there. */
let works: string;
let receiver: NoticeReceiver;

beforeAll(async () => {
  process.env['HOLDFAST_LOG'] = 'silent';
  home = temporaryHome();
  works = path.join(home.path, 'works');
  await mkdir(path.join(home.path, 'data'));
  const file = path.join(home.path, 'shop.yaml');
  const lines = [
    `system: ${SYSTEM}`,
    `stores: { vault: { kind: directory, path: ${path.join(home.path, 'vault')} } }`,
    `components: { config: { kind: files, path: ${path.join(home.path, 'data')} } }`,
    'plans: { daily: { components: [config], stores: [vault] } }',
    'notify:',
    `  script: { kind: command, on: [incident], command: [/bin/sh, -c, 'cat >/dev/null; test -e "$0"', ${works}] }`,
    `  hook: { kind: webhook, on: [incident], url: { file: ${path.join(home.path, 'hook')} } }`,
  ];
  await writeFile(file, [...lines, keySection()].join('\n'));
  await registerSystem(file);
  receiver = await NoticeReceiver.start();
  await writeFile(path.join(home.path, 'hook'), receiver.url('/hook'), { mode: 0o600 });
});
afterAll(async () => {
  await receiver[Symbol.asyncDispose]();
  home[Symbol.dispose]();
});

function deliver(attempt: number, channel = 'script'): Promise<unknown> {
  const run: Run = { signal: new AbortController().signal, report: () => undefined, attempt, log: log('test') };
  const asked = { system: SYSTEM, channel, notice: NOTICE };
  return deliverNotice(play.env.client, asked, run).catch((error: unknown) => error);
}

const incident = (channel = 'script') =>
  play.env.client.workflow.getHandle(workflowIds.incident(SYSTEM, 'notify', channel));

async function isOpen(channel = 'script'): Promise<boolean> {
  return incident(channel)
    .describe()
    .then(({ status }) => status.name === 'RUNNING')
    .catch(() => false);
}

describe('a channel', () => {
  test('that fails for a moment is nobody’s news; one that goes on has its incident, until a message gets through', async () => {
    await play.inWorld({}, async (world) => {
      world.incidents.policy = () => ({ ...M8_POLICY, settleSeconds: 0.1 });
      await deliver(1);
      await deliver(2);
      expect(await isOpen()).toBe(false);
      expect(await deliver(3)).toMatchObject({ code: 'ChannelUnreachable' });
      const { finding, state } = await incident().query<IncidentState>('incident');
      expect([finding.check, finding.subject, state]).toEqual(['notify', 'script', 'open']);
      expect(finding.what).toContain('messages do not get through to script');
      expect(finding.hint).toContain('holdfast notify test shop script');

      // Monitoring on another machine knows nothing of it: that is no end of it, and no other beginning.
      const running = () => Promise.resolve([incident().workflowId, `${SYSTEM}/incident/notify/left-the-file`]);
      const gone = { check: 'notify', subject: 'left-the-file', severity: 'warning', what: 'x', hint: 'y' } as const;
      await play.start('incident', { system: SYSTEM, ...gone }, `${SYSTEM}/incident/notify/left-the-file`);
      const judged = { system: SYSTEM, findings: [finding], unknown: [] };
      expect(await reconcileIncidents(play.env.client, judged, running)).toEqual({
        opened: [],
        healed: ['notify/left-the-file'],
      });
      expect((await incident().query<IncidentState>('incident')).state).toBe('open');

      await writeFile(works, '');
      expect(await deliver(1)).toEqual({});
      expect(((await incident().result()) as IncidentState).state).toBe('healed');
      await rm(works);
    });
  });

  test('that is mended is over as soon as a test message gets through', async () => {
    await play.inWorld({}, async (world) => {
      world.incidents.policy = () => ({ ...M8_POLICY, settleSeconds: 0.1 });
      await deliver(3);
      expect(await isOpen()).toBe(true);
      const engine = { TEMPORAL_ADDRESS: play.env.address };
      const broken = await holdfast(home.path, ['notify', 'test', SYSTEM, 'script', '--json'], engine);
      expect([broken.code, JSON.parse(broken.stdout)]).toMatchObject([1, { ok: false, healed: [] }]);
      expect(await isOpen()).toBe(true);

      await writeFile(works, '');
      const mended = await holdfast(home.path, ['notify', 'test', SYSTEM, 'script'], engine);
      expect([mended.code, mended.stdout]).toEqual([0, 'taken  script (command)\nover   the incident notify/script\n']);
      expect(((await incident().result()) as IncidentState).state).toBe('healed');
      await rm(works);
    });
  });

  test('that could not be reached and answers again is over at the next look; one that refused is not', async () => {
    await play.inWorld({}, async (world) => {
      world.incidents.policy = () => ({ ...M8_POLICY, settleSeconds: 0.1 });
      const look = () =>
        reconcileIncidents(play.env.client, { system: SYSTEM, findings: [], unknown: [] }, () =>
          Promise.resolve([incident('hook').workflowId]),
        );
      receiver.replies = [{ status: 503 }, 'reset'];
      await deliver(3, 'hook');
      expect(await look()).toEqual({ opened: [], healed: [] });
      expect(await look()).toEqual({ opened: [], healed: ['notify/hook'] });
      expect(((await incident('hook').result()) as IncidentState).state).toBe('healed');

      receiver.replies = [{ status: 404 }];
      await deliver(1, 'hook');
      expect(await look()).toEqual({ opened: [], healed: [] });
      await incident('hook').terminate();
    });
  });
});
