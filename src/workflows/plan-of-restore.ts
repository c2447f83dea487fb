/** The plan of a restore: made by one host, which reads the catalogue, of what every host sees of its own components. */
import type { LiveThere, SystemFacts } from '../activities/types.ts';
import { silenceOf } from './capture.ts';
import type { PlanRequest, RestoreInput, RestorePlan } from './contract.ts';
import { failure } from './failure.ts';
import { listOf } from './lists.ts';
import { whileHostAnswers } from './proxies.ts';

/** The same plan once more: of the same backups, whatever has come since. */
export function againOf(asked: PlanRequest, plan: RestorePlan): PlanRequest {
  return plan.whole === undefined
    ? { ...asked, backup: plan.backup, store: plan.store }
    : { ...asked, pinned: plan.whole.parts };
}

/** Changes nothing. Throws HostSilent when a host whose components would be replaced does not answer. */
export async function planOf(facts: SystemFacts, asked: PlanRequest): Promise<RestorePlan> {
  const { system } = facts;
  const planner = plannerOf(facts, asked);
  const silentSeconds = silenceOf(facts);
  const plan = (input: typeof asked & { seen?: readonly LiveThere[] }): Promise<RestorePlan> =>
    whileHostAnswers(system, planner, { summary: 'plan the restore', silentSeconds }, (host) =>
      host.planRestore(input),
    );

  const first = await plan(asked);
  const others = [...new Set(first.components.map(({ host }) => host))].filter((host) => host !== planner);
  // To another place: what lives is not touched, so that nobody has to know it.
  if (others.length === 0 || asked.target !== undefined) return first;

  const seen: LiveThere[] = [];
  for (const host of others) {
    const components = first.components.filter((component) => component.host === host).map(({ name }) => name);
    const options = { summary: `look at what lives on ${host}`, silentSeconds };
    seen.push(await whileHostAnswers(system, host, options, (there) => there.lookAtLive({ system, components })));
  }
  // Of the same backup: a newer one may have come while the hosts looked.
  return plan({ ...againOf(asked, first), seen });
}

/** The host whose components are asked for first; it reads the catalogue. */
function plannerOf(facts: SystemFacts, asked: RestoreInput): string {
  const wanted = listOf(asked.components);
  const unknown = wanted.filter((name) => !facts.components.some((component) => component.name === name));
  if (unknown.length > 0) {
    const known = facts.components.map((component) => component.name).join(', ');
    throw failure('BadInput', `${facts.system} has no component ${unknown.join(', ')}; it has ${known}.`);
  }
  const first = facts.components.find((component) => wanted.length === 0 || wanted.includes(component.name));
  if (first === undefined) throw failure('BadInput', `${facts.system} has no components.`);
  return first.host;
}
