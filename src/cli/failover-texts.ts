/** A failover as people read it: what would be done and lost, what was refused and why, how it ended. */
import type { Colours } from '../observe/colours.ts';
import { formatSeconds } from '../observe/format.ts';
import { table } from '../observe/table.ts';
import { shortDigest } from '../policy/approval.ts';
import type { FailoverPlan, FailoverReport, FailoverResult, MeasuredFailover } from '../workflows/contract.ts';
import { planText } from './plan-text.ts';
import type { ExitCode, Shell } from './shell.ts';

const FENCED: Readonly<Record<FailoverPlan['fencing'], string>> = {
  lease: 'it waits until no lease of the site before can be left',
  confirmed: 'it waits until the declared command says that the site before is stopped',
  attested: 'nothing looks whether the site before is stopped: who approves says so by name, so make sure first',
};

export function failoverPlanText(plan: FailoverPlan, colours: Colours, nowMs: number): string {
  const { from, site, nextGeneration, copy, fencing, passedOver, storesUnread } = plan;
  const lines = [
    `${colours.bold('Failover plan')} ${colours.cyan(shortDigest(plan.digest))}`,
    `  takes over  ${colours.bold(site)} from ${from.site}, as generation ${nextGeneration} after ${from.generation}`,
    ...assessmentLines(plan.assessment, colours),
    `  is lost     ${lossText(plan, colours)}`,
    `  backup      ${copy.backup} in ${copy.store} of ${copy.pointAt}, ${copy.proved === undefined ? 'never restored so far: it is checked before anything starts' : `proved: ${copy.proved}`}`,
    plan.planned === undefined
      ? `  fencing     ${fencing}: ${FENCED[fencing]}`
      : `  fencing     ${from.site} says itself that it has stopped`,
    `  approval    ${plan.approval === 'automatic' ? 'none is asked for, by the declared rule' : 'by a person'}`,
    ...passedOver.map(({ backup, store, why }) => `  ${colours.yellow('passed over')} ${backup} in ${store}: ${why}`),
    ...storesUnread.map((store) => `  ${colours.yellow('unread')}      a newer backup may lie in ${store}`),
    ...plan.reasons.filter((reason) => !plan.assessment.reasons.includes(reason)).map((why) => `  because     ${why}`),
    ...(plan.names?.lines ?? []).map((line) => `  names       ${line}`),
    ...(plan.names?.unplanned ?? []).map((line) => `  ${colours.yellow('names')}       left as it is: ${line}`),
    ...(plan.names?.warnings ?? []).map((line) => `  ${colours.yellow('warning')}     ${line}`),
    '',
    planText(plan.restore, colours, nowMs),
  ];
  return lines.join('\n');
}

function lossText(plan: FailoverPlan, colours: Colours): string {
  if (plan.planned === undefined) return lossOf(plan, colours);
  const { answerSeconds, backAfterSeconds } = plan.planned;
  const back =
    backAfterSeconds === undefined ? '' : `; it goes back by itself after ${formatSeconds(backAfterSeconds)}`;
  const waits = `${plan.from.site} stops and makes its last backup, for which at most ${formatSeconds(answerSeconds)} are waited`;
  return `${colours.green('nothing')}: ${waits}; down from then until it is restored here${back}`;
}

function lossOf({ dataLossSeconds, rpoSeconds, meetsRpo }: FailoverPlan, colours: Colours): string {
  const lost = `what was written in the last ${formatSeconds(dataLossSeconds)}`;
  if (rpoSeconds === undefined) return `${lost}; no RPO is declared`;
  const promised = `${lost}; the RPO is ${formatSeconds(rpoSeconds)}`;
  return meetsRpo === false ? colours.red(promised) : promised;
}

function assessmentLines({ state, reasons }: FailoverPlan['assessment'], colours: Colours): string[] {
  const word = state === 'down' ? colours.red(state) : state === 'up' ? colours.green(state) : colours.yellow(state);
  return [`  is it down  ${word}`, ...reasons.map((reason) => `              ${reason}`)];
}

/** Exit 0: done and well, or a plan that may be carried out. 1: refused, rejected, rolled back, or not all is well. */
export function showFailoverResult(shell: Shell, result: FailoverResult): ExitCode {
  shell.result(result, (colours) => {
    if (result.outcome === 'planned' && result.plan !== undefined) {
      return `${failoverPlanText(result.plan, colours, Date.now())}\n\n${nextSteps(result).join('\n')}`;
    }
    return resultLines(result, colours).join('\n');
  });
  return result.outcome === 'planned' || (result.outcome === 'done' && result.ok === true) ? 0 : 1;
}

function resultLines(result: FailoverResult, colours: Colours): string[] {
  const { outcome, ok, why, reasons, generation, fence, publicCheck, rto, reportKey } = result;
  const good = outcome === 'done' && ok === true;
  const where = generation === undefined ? '' : ` generation ${generation.n} is at ${generation.site}`;
  const told = reasons ?? (why === undefined ? [] : [why]);
  return [
    `${good ? colours.green(outcome) : colours.red(outcome)}${where}`,
    ...told.map((reason) => `  ${reason}`),
    ...(fence === undefined ? [] : [`  fenced       ${fence.evidence}`]),
    ...(result.names?.lines ?? []).map((line) => `  names        ${line}`),
    ...(result.names?.oldAnswerUntil === undefined
      ? []
      : [`  names        resolvers may give the old answer until ${result.names.oldAnswerUntil}`]),
    ...(publicCheck === undefined
      ? []
      : [`  ${publicCheck.ok ? colours.green('✓') : colours.red('✗')} public name: ${publicCheck.detail}`]),
    ...(rto === undefined ? [] : [`  took         ${rtoText(rto)}`]),
    ...(result.planned === undefined ? [] : [`  was down     ${formatSeconds(result.planned.downSeconds)}`]),
    ...(reportKey === undefined ? [] : [`  report       ${reportKey}`]),
    ...(result.warnings ?? []).map((warning) => `  ${colours.yellow('warning')}      ${warning}`),
    ...nextSteps(result),
  ];
}

/** What is so now, and what a person does next: read at night, so that it comes last. */
function nextSteps({ outcome, ok, plan, generation, names }: FailoverResult): string[] {
  const of = plan?.system ?? '<system>';
  const isPlanned = plan?.planned !== undefined;
  const command = `holdfast failover ${of}${isPlanned ? ' --planned' : ''}`;
  const again = `try again, with nothing changed: ${command} --plan`;
  switch (outcome) {
    case 'planned':
      return ['Nothing was changed.', `next         do it: ${command}, which asks before it changes anything`];
    case 'refused':
      return [
        isPlanned
          ? '  nothing was changed here: the site that has the generation runs it, or starts it again'
          : '  nothing was changed',
        '  next         docs/failover.md says what each reason means',
        `               ${again}`,
      ];
    case 'rejected':
    case 'expired':
      return ['  nothing was changed', `  next         ${again}`];
    case 'rolled-back':
      return [
        `  nothing of ${of} was started here${generation === undefined ? '' : `, and ${generation.site} may run it`}`,
        `  next         mend what is said above, then ${again}`,
      ];
    case 'done': {
      const runs = `  ${of} runs at ${generation?.site ?? 'this site'}`;
      if (ok === true && isPlanned) {
        return [`${runs}; ${plan.from.site} stays stopped. Back again, there: holdfast failback ${of}`];
      }
      if (ok === true) return [`${runs}: leave the site before as it is; it stops itself when it comes back`];
      const lead = names?.ok === false ? [`               where its names lead: holdfast dns ${of}`] : [];
      return [`${runs}, and not all is well`, `  next         what runs: holdfast status ${of}`, ...lead];
    }
  }
}

function rtoText({ seconds, ownSeconds, waited }: MeasuredFailover): string {
  const waits = Object.entries({
    approval: waited.approvalSeconds,
    'the other site': waited.handoverSeconds ?? 0,
    fencing: waited.fenceSeconds,
    names: waited.namesSeconds,
  }).flatMap(([name, of]) => (of === 0 ? [] : [`${name} ${formatSeconds(of)}`]));
  const rest = waits.length === 0 ? '' : `, of it waited for ${waits.join(', ')}`;
  return `${formatSeconds(seconds)}${rest}; its own work ${formatSeconds(ownSeconds)}`;
}

export function failoversTable(reports: readonly FailoverReport[], colours: Colours): string {
  const rows = reports.map(
    ({ startedAt, from, site, outcome, ok, generation, dataLossSeconds, rpoSeconds, rto, names, planned }) => [
      startedAt,
      `${from.site} to ${site}${planned === undefined ? '' : ', planned'}`,
      ok ? colours.green(outcome) : colours.red(outcome),
      `${generation.n} at ${generation.site}`,
      `${formatSeconds(dataLossSeconds)}${rpoSeconds === undefined ? '' : ` of ${formatSeconds(rpoSeconds)}`}`,
      namesText(names, colours),
      [
        ...(rto === undefined ? [] : [rtoText(rto)]),
        ...(planned === undefined ? [] : [`was down ${formatSeconds(planned.downSeconds)}`]),
      ].join('; '),
    ],
  );
  return table(['started', 'sites', 'outcome', 'generation', 'lost', 'names', 'took'], rows, colours);
}

/** `here` when all of them led there, else those that did not, each with how it stood. */
function namesText(names: FailoverReport['names'], colours: Colours): string {
  if (names === undefined) return '';
  const left = names.filter(({ standing }) => standing !== 'here').map(({ title, standing }) => `${title} ${standing}`);
  return left.length === 0 ? 'here' : colours.red(left.join(', '));
}
