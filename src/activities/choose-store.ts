/** Which of a plan's stores takes a capture. */
import { HoldfastError } from '../failures.ts';
import { openStore } from '../stores/index.ts';
import { resolveSecret, type StoreConfig, type System } from '../system/index.ts';
import { HEAD_KEY } from '../vault/names.ts';
import { readHead } from '../vault/head.ts';
import type { HostContext } from './host-context.ts';
import type { Run } from './shell.ts';
import type { HostActivities } from './types.ts';

type Input = Parameters<HostActivities['chooseStore']>[0];
type Chosen = Awaited<ReturnType<HostActivities['chooseStore']>>;

/** A store that is there answers at once; waiting longer would only put the capture off. */
const ANSWER_MS = 10_000;

export async function chooseStore(context: HostContext, input: Input, run: Run): Promise<Chosen> {
  const system = await context.system(input.system);
  const passedOver: { store: string; why: string; unreachable: boolean }[] = [];
  let first: HoldfastError | undefined;
  for (const name of input.stores) {
    run.report({ phase: `ask ${name}` });
    const trouble = await troubleOf(system, name, run.signal);
    if (trouble === undefined) return { store: name, passedOver };
    passedOver.push({ store: name, why: trouble.message, unreachable: trouble.waitingHelps });
    if (first === undefined || (trouble.waitingHelps && !first.waitingHelps)) first = trouble;
  }
  if (first === undefined) throw new HoldfastError('BadInput', 'no store is named');
  const whys = passedOver.map(({ store, why }) => `${store}: ${why}`).join('; ');
  throw new HoldfastError(first.code, `none of the stores can take the capture: ${whys}`, { cause: first });
}

/** Undefined: it holds the system's vault and answers. */
async function troubleOf(system: System, name: string, signal: AbortSignal): Promise<HoldfastError | undefined> {
  const config = system.stores.find((store) => store.name === name);
  if (config === undefined) return new HoldfastError('BadInput', `${system.name} has no store ${name}`);
  const limit = AbortSignal.timeout(ANSWER_MS);
  try {
    await ask(config, system.name, AbortSignal.any([signal, limit]));
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (limit.aborted) return new HoldfastError('StoreUnreachable', `no answer within ${ANSWER_MS / 1000} s`);
    if (error instanceof HoldfastError) return error;
    throw error;
  }
}

async function ask(config: StoreConfig, system: string, signal: AbortSignal): Promise<void> {
  const store = await openStore(config, resolveSecret);
  try {
    // By itself, because it can be given up: what comes after it asks a store that has just answered.
    await store.get(HEAD_KEY, { signal }).catch((error: unknown) => {
      if (!(error instanceof HoldfastError) || error.code !== 'ObjectMissing') throw error;
    });
    await readHead(store, system);
  } finally {
    await store.close();
  }
}
