/** The Compose project of a backup, started in isolation on what was restored. */
import { stopLevels } from '../../docker/order.ts';
import type { DockerHost } from '../../docker/types.ts';
import { HoldfastError } from '../../failures.ts';
import { redactText } from '../../observe/redact.ts';
import type { IsolatedContainer } from '../../policy/drill-isolation.ts';
import type { StackInput, StackStarted } from '../drill-types.ts';
import type { HostContext } from '../host-context.ts';
import { alone } from '../leftovers.ts';
import type { Run } from '../shell.ts';
import { untilHealthy } from '../stop-start.ts';
import { linksOut } from './links-out.ts';
import { drillDirectory } from './places.ts';
import { clearContainers, whileOpen } from './scratch.ts';
import { imagesOf, makeContainers } from './stack-make.ts';
import { withStack, type StackThere } from './stack-plan.ts';

/**
 * What is unhealthy is a check that failed; throws only what kept it from being tried. A repeat begins anew, but for the
 * database servers: they stay with what was restored into them.
 */
export async function startScratchStack(context: HostContext, input: StackInput, run: Run): Promise<StackStarted> {
  const { system, drillId } = input;
  const root = drillDirectory(context.stateDirectory(system), drillId);
  const making = { system, component: input.component, id: drillId };
  const start = () =>
    withStack(context, input, run, async (stack) => {
      const { isolated, refused, containers } = stack.isolation;
      const found = [...refused, ...(await linksOut(root, containers))];
      if (found.length > 0) return { services: 0, isolated, refused: found, checks: [], warnings: [] };
      const servers = containers.filter(({ live }) => stack.servers.some((server) => server.live === live));
      await clearContainers(context, drillId, { except: servers.map(({ name }) => name) });
      const images = await imagesOf(context, input, stack, containers, run);
      if (images.missing.length > 0) {
        const words = images.missing.map((image) => `${image} is neither on this machine nor in the backup`);
        return { services: 0, isolated, refused: words, checks: [], warnings: [] };
      }
      const ids = await makeContainers(context.docker(), drillId, stack, containers, images.use);
      const checks = await startAll(context.docker(), stack, { ids, root }, run);
      return { services: ids.size, isolated, refused: [], checks, warnings: images.warnings };
    });
  return whileOpen(context, input, run, () => alone(context, making, run, start));
}

/** In the order of their dependencies, each level healthy before the next; what comes after a bad one is not started. */
async function startAll(
  docker: DockerHost,
  { component, isolation, inventory }: StackThere,
  { ids, root }: { readonly ids: ReadonlyMap<string, string>; readonly root: string },
  run: Run,
): Promise<StackStarted['checks']> {
  const ordered = inventory.containers.map(({ name, service, config }) => {
    const labels = (config['Labels'] ?? {}) as Record<string, string>;
    return { id: name, project: inventory.project, service, labels };
  });
  const levels = stopLevels(ordered);
  const checks: { component: string; name: string; ok: boolean; detail: string }[] = [];
  for (const level of [...new Set(levels.values())].toSorted((a, b) => b - a)) {
    const now = isolation.containers.filter(({ live }) => levels.get(live) === level);
    run.report({ phase: `start: ${now.map(({ service }) => service).join(', ')}` });
    const began = await Promise.all(
      now.map(async (container) => {
        const id = ids.get(container.live) ?? '';
        const bad = await startOne(docker, { id, container, root, limitSeconds: component.healthTimeoutSeconds }, run);
        const detail = bad ?? 'runs, isolated';
        return { component: component.name, name: `service ${container.service}`, ok: bad === undefined, detail };
      }),
    );
    checks.push(...began);
    if (began.some(({ ok }) => !ok)) break;
  }
  return checks;
}

/** Why it does not run; undefined when it does. */
async function startOne(
  docker: DockerHost,
  {
    id,
    container,
    root,
    limitSeconds,
  }: { id: string; container: IsolatedContainer; root: string; limitSeconds: number },
  run: Run,
): Promise<string | undefined> {
  // Those that run by now may have made a link of what this one mounts.
  const [out] = await linksOut(root, [container]);
  if (out !== undefined) return out;
  try {
    await docker.start(id);
    const known = { id, name: container.service, level: 0, stopSeconds: 0, ran: false, starts: true };
    await untilHealthy(docker, known, limitSeconds, run.signal);
    return undefined;
  } catch (error) {
    run.signal.throwIfAborted();
    if (!(error instanceof HoldfastError) || !['Unhealthy', 'DockerRefused'].includes(error.code)) throw error;
    return redactText(error.message);
  }
}
