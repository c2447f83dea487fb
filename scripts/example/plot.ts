/** The story of every example: up, backed up, broken, brought back, compared with what was acknowledged. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Holdfast } from '../../sample/stack/holdfast.ts';
import type { Up } from '../../sample/stack/holdfast.ts';
import type { BackupResult, DrillReport } from '../../src/workflows/contract.ts';
import { sizeText } from '../demo/story.ts';
import { UsageError } from '../setup.ts';
import type { Disaster, Example, Scene, Stage } from './example.ts';
import type { InterruptibleStory as Story } from './interrupt.ts';
import { removeDrills } from './left.ts';
import { Operator } from './operator.ts';
import { rehearse } from './rehearsal.ts';
import { differing } from './system-file.ts';
import { seconds } from './times.ts';

const LIMIT_MS = 300_000;
/** Records between one thing that happens and the next. */
const A_FEW = 25;

export interface Play {
  readonly example: Example;
  readonly story: Story;
  readonly stage: Stage;
  readonly environment: Readonly<Record<string, string>>;
  /** Only the disaster of this name. */
  readonly only?: string | undefined;
  /** A person's Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Of one disaster, measured; an objective that was missed has ended the story. */
export interface Measured {
  readonly disaster: string;
  readonly rows: readonly string[];
  readonly rtoSeconds: number;
  readonly rpoSeconds: number;
  readonly objective: Disaster['objective'];
  readonly kept: number;
  readonly lost: number;
}

export interface Played {
  readonly system: string;
  readonly stage: Stage;
  readonly scene: Scene;
  readonly operator: Operator;
  readonly up: Up;
  readonly measured: readonly Measured[];
  readonly drill: DrillReport;
}

export async function play(given: Play): Promise<Played> {
  const { example, story, stage } = given;
  story.chapter('The system comes up');
  const scene = await story.timed('system up', () => example.open(stage));
  stage.cleanup.add(() => scene.client.stop());
  const chosen = scene.disasters.filter(({ name }) => given.only === undefined || name === given.only);
  if (chosen.length === 0) {
    throw new UsageError(`${given.only ?? 'nothing'} is none of ${scene.disasters.map(({ name }) => name).join(', ')}`);
  }
  await scene.client.more(A_FEW);
  story.claim(`it serves: ${scene.client.acknowledged.size} records acknowledged, and more every moment`, true);
  const { operator, up } = await startHoldfast(given, scene);
  await firstBackups(given, scene, operator);
  story.chapter('A drill: the restore rehearsed, in isolation');
  const { client } = scene;
  const drill = await rehearse({ story, docker: stage.docker, client }, operator, example.name);
  const measured: Measured[] = [];
  for (const disaster of chosen) measured.push(await survive(given, { scene, operator }, disaster));
  report(story, measured);
  return { system: example.name, stage, scene, operator, up, measured, drill };
}

async function startHoldfast({ example, story, stage, environment, signal }: Play, scene: Scene) {
  story.chapter('Holdfast: keys, vault, engine');
  const home = join(stage.directory, 'home');
  await mkdir(home);
  const own = await readFile(join(stage.source, example.name, `${example.name}.yaml`), 'utf8');
  const file = join(stage.directory, `${example.name}.yaml`);
  await writeFile(file, differing(own, scene.differences));
  story.say(`the system file is examples/${example.name}/${example.name}.yaml; different here:`);
  for (const line of scene.differs) story.say(`- ${line}`);
  const operator = new Operator(new Holdfast(home, { ...environment, ...scene.environment }, signal), (text) =>
    story.say(text),
  );
  const init = await operator.run('init', file, '--kit', join(stage.directory, 'recovery-kit.txt'));
  story.claim('keys, vaults and a recovery kit are made', init.code === 0, init.stderr);
  await scene.afterInit?.(operator);
  operator.show(['up']);
  const start = () =>
    example.everyday === true ? operator.holdfast.everydayUp('--port', '0') : operator.holdfast.up('--port', '0');
  stage.cleanup.add(() => removeDrills(stage.docker, home, example.name));
  const up = await story.timed('engine and workers up', start);
  stage.cleanup.add(() => up.stop());
  Object.assign(stage.running, { up, home, systemFile: file });
  return { operator, up };
}

async function backup(story: Story, operator: Operator, system: string, plan: string): Promise<BackupResult> {
  operator.show(['backup', system, plan]);
  const result = await story.until(`a backup by ${plan}`, LIMIT_MS, async () => {
    const { code, stdout, stderr } = await operator.holdfast.run('backup', system, plan, '--json');
    if (code !== 0 && !stdout.includes('"skipped"')) throw new Error(`the backup failed: ${stderr}${stdout}`);
    // A plan that follows changes may have begun by itself; then it is this one's turn next.
    return code === 0 ? (JSON.parse(stdout) as BackupResult) : undefined;
  });
  const { readBytes = 0, storedBytes = 0, downtimeMs = 0 } = result;
  const paused = downtimeMs > 0 ? `, paused for ${downtimeMs} ms` : '';
  story.claim(
    `backup ${result.backup ?? ''}: read ${sizeText(readBytes)}, stored ${sizeText(storedBytes)}${paused}, verified`,
    result.outcome === 'done' && result.verified?.ok === true,
    JSON.stringify(result),
  );
  return result;
}

async function firstBackups({ example, story }: Play, scene: Scene, operator: Operator): Promise<void> {
  story.chapter('Its plans, each once');
  for (const plan of example.plans) await backup(story, operator, example.name, plan);
  const health = await scene.client.health();
  story.claim(`the service is healthy, and went on meanwhile: ${health.text.slice(0, 120)}`, health.ok, health.text);
}

async function survive(
  { example, story }: Play,
  { scene, operator }: Pick<Played, 'scene' | 'operator'>,
  disaster: Disaster,
): Promise<Measured> {
  const { client } = scene;
  story.chapter(`${disaster.title} ${disaster.rows.map((row) => `[${row}]`).join(' ')}`);
  await client.more(A_FEW);
  // Whatever was acknowledged before the last backup began has to be there afterwards, whatever happens.
  const secured = new Set(client.acknowledged.keys());
  for (const plan of disaster.plans) await backup(story, operator, example.name, plan);
  await client.more(A_FEW);
  story.say(await disaster.break(operator));
  const brokenAtMs = Date.now();
  const seen = await story.until('the damage to show', LIMIT_MS, () => disaster.seen());
  story.claim(`it shows: ${seen.slice(0, 160)}`, true);

  await disaster.bringBack(operator);
  const health = await story.until('the service to be healthy', LIMIT_MS, async () => {
    const now = await client.health();
    return now.ok ? now : undefined;
  });
  const backAtMs = Date.now();
  await client.more(1);
  const rtoSeconds = (Date.now() - brokenAtMs) / 1000;
  story.claim(`the service is healthy and takes records again: ${health.text.slice(0, 120)}`, true);

  const comparison = await client.quiet(() => client.compare({ brokenAtMs, backAtMs }));
  const { kept, lost, invented, lostMs, lostWhileBroken, lostAfterwards } = comparison;
  const gone = lost.filter((id) => secured.has(id));
  story.claim(
    `nothing that was acknowledged before the backup is gone (${secured.size} records)`,
    gone.length === 0,
    gone.slice(0, 5).join(),
  );
  story.claim('nothing is there that nobody sent', invented.length === 0, invented.slice(0, 5).join());
  story.claim('nothing that it acknowledged since is gone', lostAfterwards.length === 0, lostAfterwards.join());
  if (lostWhileBroken.length > 0) story.say(`${lostWhileBroken.length} records that it took while broken are gone`);
  const said = lost.length === 0 ? 'nothing was lost' : `${lost.length} records of the last moments were lost`;
  story.claim(`${kept} acknowledged records are there; ${said}`, disaster.losesNothing !== true || lost.length === 0);
  if (disaster.check !== undefined) story.claim(await disaster.check(comparison), true);
  client.forget([...lost, ...lostWhileBroken]);
  const measured = {
    disaster: disaster.name,
    rows: disaster.rows,
    rtoSeconds,
    rpoSeconds: lostMs / 1000,
    kept,
    lost: lost.length,
  };
  const { objective } = disaster;
  story.claim(
    `RTO ${seconds(rtoSeconds)}, objective ${seconds(objective.rtoSeconds)}`,
    rtoSeconds <= objective.rtoSeconds,
  );
  story.claim(
    `RPO ${seconds(lostMs / 1000)}, objective ${seconds(objective.rpoSeconds)}`,
    lostMs / 1000 <= objective.rpoSeconds,
  );
  return { ...measured, objective };
}

function report(story: Story, measured: readonly Measured[]): void {
  for (const { disaster, rtoSeconds, rpoSeconds, objective, lost } of measured) {
    const rto = `RTO ${seconds(rtoSeconds)} of ${seconds(objective.rtoSeconds)}`;
    const rpo = `RPO ${seconds(rpoSeconds)} of ${seconds(objective.rpoSeconds)}`;
    story.note(disaster, `${rto}, ${rpo}, ${lost} records lost`);
  }
}
