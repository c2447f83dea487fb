/** The story itself, the same with and without Docker. Every claim is checked; the first that fails ends it. */
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { checkLedger } from '../../sample/ledger/check.ts';
import { expectedHead } from '../../sample/ledger/load.ts';
import type { Holdfast, Up } from '../../sample/stack/holdfast.ts';
import { waitFor, waitForEnd } from '../../sample/stack/processes.ts';
import type { BackupResult, RestorePlan, RestoreResult, VerifyResult } from '../../src/workflows/contract.ts';
import type { LedgerNumbers, Scene } from './scene.ts';
import { sizeText } from './story.ts';
import type { Story } from './story.ts';

export const SYSTEM = 'm2m-connector';
const PLAN = 'daily';
const LIMIT_MS = 300_000;

export interface Stage {
  readonly story: Story;
  readonly scene: Scene;
  readonly holdfast: Holdfast;
  /** For the system file, the store, and copies to look at. */
  readonly directory: string;
  /** Told as soon as there is something to stop. */
  readonly onUp: (up: Up) => void;
}

const storeOf = (stage: Stage): string => join(stage.directory, 'vault');

export async function play(stage: Stage): Promise<void> {
  await setTheScene(stage);
  const up = await startHoldfast(stage);
  await firstBackup(stage);
  const backup = await backupWithoutWorker(stage, up);
  const captured = await lookIntoBackup(stage, backup);
  await loseTheLedger(stage);
  await restore(stage, backup);
  await prove(stage, captured);
}

async function setTheScene({ story, scene }: Stage): Promise<void> {
  story.chapter('A stack whose ledger is written all the time');
  await story.timed('stack up', () => scene.begin());
  const { records } = await scene.health();
  const later = await waitFor('more transfers', LIMIT_MS, async () => {
    const now = await scene.health();
    return now.records > records ? now : undefined;
  });
  story.claim(`the ledger serves, and its file changes in place (${records} records, then ${later.records})`, true);
}

async function startHoldfast(stage: Stage): Promise<Up> {
  const { story, scene, holdfast, directory } = stage;
  story.chapter('Holdfast: keys, vault, engine');
  const file = join(directory, `${SYSTEM}.yaml`);
  await writeFile(file, scene.systemFile(storeOf(stage)));
  await mkdir(storeOf(stage), { recursive: true });
  story.say(`the system file describes ${scene.description}`);
  const init = await holdfast.run('init', file);
  story.claim('holdfast init made keys, a vault and a recovery kit', init.code === 0, init.stderr);
  const up = await story.timed('engine and workers up', () => holdfast.up());
  stage.onUp(up);
  story.claim('holdfast up: engine and workers are at work', true);
  if (up.uiUrl !== undefined) story.say(`every operation can be watched at ${up.uiUrl}`);
  return up;
}

async function firstBackup(stage: Stage): Promise<void> {
  const { story, scene, holdfast } = stage;
  story.chapter('A backup');
  const before = await scene.health();
  const result = await scene.aroundCapture(() =>
    story.timed('first backup', () => holdfast.ask<BackupResult>('backup', SYSTEM, PLAN)),
  );
  story.claim(`backup ${result.backup ?? ''} is committed`, result.outcome === 'done' && result.backup !== undefined);
  story.claim(`and verified (${result.verified?.level ?? 'not at all'})`, result.verified?.ok === true);
  story.say(`read ${sizeText(result.readBytes ?? 0)}, stored ${sizeText(result.storedBytes ?? 0)}, sealed`);
  if ((result.downtimeMs ?? 0) > 0) story.note('freeze of the first backup', `${result.downtimeMs ?? 0} ms`);
  story.note('read and stored', `${sizeText(result.readBytes ?? 0)}, ${sizeText(result.storedBytes ?? 0)}`);
  const after = await waitFor('transfers after the backup', LIMIT_MS, async () => {
    const now = await scene.health();
    return now.records > before.records ? now : undefined;
  });
  story.claim(`the ledger went on meanwhile (${before.records} records, now ${after.records})`, true);
}

/** The next backup loses its worker where it hurts most, and ends well. */
async function backupWithoutWorker(stage: Stage, up: Up): Promise<string> {
  const { story, scene, holdfast } = stage;
  story.chapter('The next backup, with its worker killed in the middle');
  await scene.beforeKill?.();
  return scene.aroundCapture(async () => {
    const startedAt = performance.now();
    const middle = scene.middleOfCapture(storeOf(stage));
    const command = holdfast.start(['backup', SYSTEM, PLAN, '--json']);
    const ended = once(command, 'close') as Promise<[number | null]>;
    let output = '';
    let said = '';
    command.stdout?.on('data', (bytes: Buffer) => (output += bytes.toString()));
    command.stderr?.on('data', (bytes: Buffer) => (said += bytes.toString()));
    // A backup that fails before its middle must not be waited for.
    const where = await Promise.race([middle, ended.then(() => undefined)]);
    const worker = up.hostWorkerPid();
    if (where === undefined || worker === undefined) throw new Error(`the backup had no middle: ${said}${output}`);
    process.kill(worker, 'SIGKILL');
    await waitForEnd(worker, LIMIT_MS);
    const killedAt = performance.now();
    story.claim(`the worker is dead (SIGKILL, process ${worker}), ${where}`, true);
    const seen = await scene.released();
    if (seen !== undefined) {
      story.note('released after the kill', `${((performance.now() - killedAt) / 1000).toFixed(1)} s`);
      story.claim(seen, true);
    }
    const [code] = await ended;
    story.claim('the same backup went on in a new worker and ended well', code === 0, said);
    const result = JSON.parse(output) as BackupResult;
    story.claim(`backup ${result.backup ?? ''} is committed and verified`, result.verified?.ok === true, output);
    story.claim('its new worker is another process', up.hostWorkerPid() !== worker);
    story.note('backup with its worker killed', `${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    return result.backup ?? '';
  });
}

/** What exactly was captured: read back from the vault, and judged by the ledger's own check. */
async function lookIntoBackup(stage: Stage, backup: string): Promise<LedgerNumbers> {
  const { story, scene, holdfast, directory } = stage;
  story.chapter('What is in that backup');
  const verified = await story.timed('verification', () =>
    holdfast.ask<VerifyResult>('verify', SYSTEM, backup, '--level', 'content'),
  );
  story.claim(
    `every chunk was read back and opened (${verified.objectsChecked} objects, ${sizeText(verified.bytesChecked)})`,
    verified.ok,
  );
  const look = scene.lookAt(directory);
  await holdfast.ask('restore', SYSTEM, backup, '--component', 'ledger', '--target', look.target);
  const check = await checkLedger(await look.file());
  story.claim(`its ledger is whole: ${check.records} records, chain valid`, check.ok, check.problems.join('; '));
  story.claim('debits and credits are equal', check.debits === check.credits && check.debits > 0);
  const predicted = expectedHead(scene.seed, check.records, scene.accounts);
  story.claim(
    `its head ${check.head.slice(0, 12)}… is what ${check.records} transfers must give`,
    check.head === predicted,
  );
  story.note('records captured', String(check.records));
  return check;
}

async function loseTheLedger({ story, scene }: Stage): Promise<void> {
  story.chapter('Disaster');
  const { records } = await scene.health();
  story.say(`${records} records`);
  story.say(await scene.destroy());
  const gone = await scene.health().then(
    () => false,
    () => true,
  );
  story.claim('the ledger is gone', gone);
}

async function restore({ story, scene, holdfast }: Stage, backup: string): Promise<void> {
  story.chapter('Restore, with approval');
  const asked = await holdfast.run('restore', SYSTEM, backup, '--json');
  // Exit code 2: nothing is decided before somebody approves.
  if (asked.code !== 2) throw new Error(`the restore did not ask: ${asked.stderr}${asked.stdout}`);
  const { plan } = JSON.parse(asked.stdout) as { plan: RestorePlan };
  for (const { action, component, on } of plan.actions) story.say(`${action} ${component}: ${on.join(', ')}`);
  story.claim(`it waits for approval of plan ${plan.digest.slice(0, 12)}`, plan.digest !== '');
  const result = await story.timed('restore, after approval', () =>
    holdfast.ask<RestoreResult>('approve', SYSTEM, plan.digest, '--by', 'demo', '--watch'),
  );
  story.claim(`restored from ${result.plan.backup}`, result.outcome === 'restored', result.why);
  const bad = result.checks.filter(({ ok }) => !ok);
  story.claim(`its ${result.checks.length} checks held`, bad.length === 0 && result.checks.length > 0);
  if (result.downtimeMs !== undefined) story.note('downtime of the restore', `${result.downtimeMs} ms`);
  await scene.reopen();
}

async function prove({ story, scene }: Stage, captured: LedgerNumbers): Promise<void> {
  story.chapter('Proof, by the ledger’s own numbers');
  const first = await scene.firstWords();
  story.claim(`the ledger opened with ${first.records} records, as captured`, first.records === captured.records);
  story.claim(`and with head ${first.head.slice(0, 12)}…, as captured`, first.head === captured.head);
  const later = await waitFor('new transfers', LIMIT_MS, async () => {
    const now = await scene.health().catch(() => undefined);
    return now !== undefined && now.records > first.records ? now : undefined;
  });
  story.claim(`it takes transfers again (${later.records} records)`, true);
  const check = await scene.checkNow();
  const predicted = expectedHead(scene.seed, check.records, scene.accounts);
  story.claim(
    `its whole chain is valid up to record ${check.records}`,
    check.ok && check.head === predicted,
    check.problems.join('; '),
  );
}
