/** A drill of an example: its restore rehearsed in isolation while its users go on, measured beside the objectives. */
import type Docker from 'dockerode';
import type { Story } from '../demo/story.ts';
import type { DrillReport, DrillResult } from '../../src/workflows/contract.ts';
import type { Client } from './client.ts';
import { leftOfDrill } from './left.ts';
import type { Operator } from './operator.ts';
import { seconds } from './times.ts';

/** Throws ClaimFailed when it does not pass, misses an objective, disturbs the users or leaves something behind. */
export async function rehearse(
  { story, docker, client }: { readonly story: Story; readonly docker: Docker; readonly client: Client },
  operator: Operator,
  system: string,
): Promise<DrillReport> {
  const before = client.acknowledged.size;
  operator.show(['drill', system]);
  const { code, stdout, stderr } = await operator.holdfast.run('drill', system, '--json');
  const { report } = (stdout === '' ? {} : JSON.parse(stdout)) as Partial<DrillResult>;
  if (report === undefined) throw new Error(`holdfast drill ${system}: ${stderr}${stdout}`);
  const bad = report.checks
    .filter(({ ok }) => !ok)
    .map(({ component, name, detail }) => `${component} ${name}: ${detail}`);
  const parts = report.components.map(({ name }) => name).join(', ');
  story.claim(`restored in isolation and checked: ${parts}`, code === 0 && bad.length === 0, bad.join('; '));
  for (const line of aroundIt(report)) story.say(line);
  for (const name of report.checks.filter(({ name: of }) => of.startsWith('check ')).map((one) => one.name)) {
    story.say(`  ${name} was asked of the copy, and holds`);
  }
  measure(story, report);
  const left = await leftOfDrill(docker, report.drillId);
  story.claim('nothing of it is left', left.length === 0, left.join(', '));
  await client.more(1);
  story.claim(`its users went on: ${client.acknowledged.size - before} records meanwhile`, true);
  return report;
}

function aroundIt({ stack, warnings }: DrillReport): string[] {
  const started =
    stack === undefined || stack.refused.length > 0 ? [] : [`  ${stack.services} services ran on it, isolated`];
  const refused = (stack?.refused ?? []).map((why) => `  its services were not started: ${why}`);
  return [...started, ...refused, ...warnings.map((warning) => `  ${warning}`)];
}

function measure(story: Story, { rtoSeconds, rtoObjectiveSeconds, losses }: DrillReport): void {
  const objective = rtoObjectiveSeconds ?? Number.POSITIVE_INFINITY;
  story.claim(`RTO ${seconds(rtoSeconds)}, objective ${seconds(objective)}`, rtoSeconds <= objective);
  for (const { plan, ageSeconds, objectiveSeconds } of losses) {
    if (objectiveSeconds === undefined) continue;
    const age = ageSeconds ?? Number.POSITIVE_INFINITY;
    story.claim(`RPO of ${plan} ${seconds(age)}, objective ${seconds(objectiveSeconds)}`, age <= objectiveSeconds);
  }
  story.note('drill', `RTO ${seconds(rtoSeconds)} of ${seconds(objective)}`);
}
