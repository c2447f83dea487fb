/** Waits for a backup in an archive class to become readable: for hours or days, through every restart. */
import { sleep } from '@temporalio/workflow';
import { lookAgainSeconds, thawLimitSeconds } from '../policy/thaw.ts';
import type { FrozenFacts, RestorePlan } from './contract.ts';
import { failure } from './failure.ts';
import { whileHostAnswers } from './proxies.ts';
import type { Story } from './story.ts';

export interface ThawOrder {
  readonly system: string;
  readonly plan: RestorePlan;
  readonly frozen: FrozenFacts;
  readonly silentSeconds: number;
}

/** Throws ObjectFrozen when it takes far longer than the class promises: then the store has to be asked why. */
export async function thaw({ system, plan, frozen, silentSeconds }: ThawOrder, story: Story): Promise<void> {
  story.begin('thaw');
  const { speed, hoursMost, objects } = frozen;
  const { store, manifestKey } = plan;
  const components = plan.components.map(({ name }) => name);
  const host = plan.components[0]?.host ?? '';
  const limitSeconds = thawLimitSeconds(hoursMost);
  const until = Date.now() + limitSeconds * 1000;
  story.waitFor(`${objects} objects to thaw`, `Asked for with the speed ${speed}.`);
  for (;;) {
    // Asked again each time: a request that was lost, or an object that froze again, must not be waited for in vain.
    const options = { summary: `thaw ${plan.backup}`, silentSeconds };
    const { left } = await whileHostAnswers(system, host, options, (activities) =>
      activities.thawBackup({ system, store, manifestKey, components, speed }),
    );
    if (left === 0) break;
    if (Date.now() >= until) {
      const waited = `after ${Math.round(limitSeconds / 3600)} hours ${left} objects of ${plan.backup} are still frozen`;
      throw failure('ObjectFrozen', `${waited} in ${store}.`, { store, left });
    }
    story.waitFor(`${left} objects to thaw`);
    await sleep(lookAgainSeconds(hoursMost) * 1000, { summary: `${left} objects are not thawed yet` });
  }
  story.waitIsOver();
}
