/** A service of the project that is a database server: made empty in isolation before the rest, for what is restored into it. */
import { HoldfastError } from '../../failures.ts';
import type { OwnServer } from '../../postgres/own-server.ts';
import { holdsCluster } from '../../policy/drill-isolation.ts';
import type { StackInput } from '../drill-types.ts';
import type { HostContext } from '../host-context.ts';
import { alone } from '../leftovers.ts';
import { openServer, untilReady } from '../own-server.ts';
import type { Run } from '../shell.ts';
import { linksOut } from './links-out.ts';
import { drillDirectory } from './places.ts';
import { imagesOf, madeBefore, makeContainers } from './stack-make.ts';
import { withStack } from './stack-plan.ts';

/** Gives `use` the server of this component; one that runs for another component of the same server is used again. */
export async function withIsolatedServer<T>(
  context: HostContext,
  { stack, component }: { readonly stack: StackInput; readonly component: string },
  run: Run,
  use: (own: OwnServer) => Promise<T>,
): Promise<T> {
  const docker = context.docker();
  const making = { system: stack.system, component: stack.component, id: stack.drillId };
  const { id, port } = await alone(context, making, run, () => serverUp(context, stack, component, run));
  const { own, close } = await openServer(docker, id, port);
  try {
    run.report({ phase: `wait for the server of ${component}` });
    await untilReady(docker, id, own, run.signal);
    return await use(own);
  } finally {
    await close();
  }
}

async function serverUp(
  context: HostContext,
  input: StackInput,
  component: string,
  run: Run,
): Promise<{ id: string; port: number }> {
  const docker = context.docker();
  return withStack(context, input, run, async (stack) => {
    const server = stack.servers.find((one) => one.component === component);
    const container = stack.isolation.containers.find(({ live }) => live === server?.live);
    if (server === undefined || container === undefined)
      throw new HoldfastError('Internal', `no service of ${input.component} is the server of ${component}`);
    const known = await madeBefore(docker, input.drillId, container);
    if (known !== undefined) {
      if ((await docker.inspect(known))?.state === 'running') return { id: known, port: server.port };
      // Half a cluster is no beginning.
      await docker.removeContainer(known);
      const fresh = container.mounts.filter(({ type, target }) => type === 'volume' && holdsCluster(target, server));
      for (const { source } of fresh) await docker.removeVolume(source);
    }
    const [out] = await linksOut(drillDirectory(context.stateDirectory(input.system), input.drillId), [container]);
    if (out !== undefined) throw new HoldfastError('UnsafePath', out);
    const images = await imagesOf(context, input, stack, [container], run);
    if (images.missing.length > 0) throw new HoldfastError('DockerRefused', `there is no image ${images.missing[0]}`);
    const ids = await makeContainers(docker, input.drillId, stack, [container], images.use);
    const id = ids.get(container.live) ?? '';
    run.report({ phase: `start: ${container.service}` });
    await docker.start(id);
    return { id, port: server.port };
  });
}
