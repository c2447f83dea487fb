/** Holdfast as the README has it typed: each command is printed before it runs. */
import pc from 'picocolors';
import type { CommandResult, Holdfast } from '../../sample/stack/holdfast.ts';
import { formatSeconds } from '../../src/observe/format.ts';
import type { RestorePlan, RestoreResult } from '../../src/workflows/contract.ts';

/** An operation that waits for a person prints its plan and ends with 2. */
const ASKED = 2;

/** As a shell takes it. Pure. */
export function quoted(word: string): string {
  if (/^[\w./:=@-]+$/.test(word)) return word;
  return word.includes("'") ? `"${word.replaceAll(/["$`\\]/g, String.raw`\$&`)}"` : `'${word}'`;
}

export class Operator {
  readonly holdfast: Holdfast;
  private readonly say: (text: string) => void;

  constructor(holdfast: Holdfast, say: (text: string) => void) {
    this.holdfast = holdfast;
    this.say = say;
  }

  show(args: readonly string[]): void {
    this.say(pc.bold(`$ holdfast ${args.map(quoted).join(' ')}`));
  }

  /** A line of what the operator sees. */
  tell(text: string): void {
    this.say(`  ${text}`);
  }

  async run(...args: readonly string[]): Promise<CommandResult> {
    this.show(args);
    return this.holdfast.run(...args);
  }

  /** The answer as JSON; throws with what it said when it ends with anything but 0. */
  async ask<T>(...args: readonly string[]): Promise<T> {
    this.show(args);
    return this.holdfast.ask<T>(...args);
  }

  /** Starts what asks first, shows what it would do, and approves exactly that. */
  async approved<Result>(args: readonly string[], describe: (plan: unknown) => string[]): Promise<Result> {
    const system = args[1] ?? '';
    this.show(args);
    const asked = await this.holdfast.run(...args, '--json');
    if (asked.code !== ASKED) throw new Error(`holdfast ${args.join(' ')} did not ask: ${asked.stderr}${asked.stdout}`);
    const { plan } = JSON.parse(asked.stdout) as { plan: { digest: string } };
    for (const line of describe(plan)) this.say(`  ${line}`);
    return this.ask<Result>('approve', system, plan.digest.slice(0, 12), '--by', 'example', '--watch');
  }

  /** On a bare machine, with nothing but the store and the recovery kit; throws unless everything was restored. */
  async breakGlass(store: string, kit: string, ...args: readonly string[]): Promise<RestoreResult> {
    const command = ['restore', '--from-store', store, '--kit', kit, ...args];
    const { plan } = await this.ask<{ plan: RestorePlan }>(...command, '--dry-run');
    return this.judged(this.restored(await this.ask<RestoreResult>(...command, '--approve', plan.digest)));
  }

  /** Throws unless everything was restored and every check held. */
  async restore(...args: readonly string[]): Promise<RestoreResult> {
    const result = await this.approved<RestoreResult>(['restore', ...args], (plan) =>
      (plan as RestorePlan).actions.map(({ action, component, on }) => `${action} ${component}: ${on.join(', ')}`),
    );
    return this.restored(result);
  }

  /** The whole system or parts of it, with the checks of the system file; throws unless they hold and every objective is met. */
  async whole(...args: readonly string[]): Promise<RestoreResult> {
    return this.judged(await this.restore(...args, '--whole'));
  }

  private judged(result: RestoreResult): RestoreResult {
    const { whole } = result;
    if (whole?.rto === undefined)
      throw new Error(`nothing was judged: ${JSON.stringify({ ...result, plan: undefined })}`);
    for (const { name, why } of whole.left) this.say(`  left as it was: ${name}: ${why}`);
    for (const { name, ok, detail } of whole.checks)
      this.say(`  check ${name}: ${ok ? detail : `NOT WELL: ${detail}`}`);
    const objectives = whole.rto.objectives.map(
      ({ of, objectiveSeconds, met }) => `${of} ${formatSeconds(objectiveSeconds)}${met ? '' : ' NOT MET'}`,
    );
    this.say(`  back after ${formatSeconds(whole.rto.seconds)}; objectives: ${objectives.join(', ')}`);
    const bad = [
      ...whole.checks.filter(({ ok }) => !ok).map(({ name }) => name),
      ...whole.reconcile.filter(({ outcome }) => outcome !== 'same').map(({ name }) => name),
      ...whole.rto.objectives.filter(({ met }) => !met).map(({ of }) => of),
    ];
    if (bad.length > 0) throw new Error(`not as it should be: ${bad.join(', ')}`);
    return result;
  }

  private restored(result: RestoreResult): RestoreResult {
    const bad = result.checks.filter(({ ok }) => !ok);
    if (result.outcome !== 'restored' || bad.length > 0)
      throw new Error(JSON.stringify({ ...result, plan: undefined }));
    for (const warning of result.warnings ?? []) this.say(`  ${warning}`);
    for (const aside of result.aside) this.say(`  kept aside: ${aside}`);
    return result;
  }
}
