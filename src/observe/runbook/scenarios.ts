/** What to do in each kind of trouble, with this system's own names: commands first, and how one sees that it worked. */
import type { ComposeComponent, System, SystemdComponent } from '../../system/types.ts';
import { runsServices } from '../../policy/services.ts';
import { formatSeconds } from '../format.ts';
import { quoted } from '../shell-word.ts';
import { addressOf, componentsByTier, isLocked } from './facts.ts';
import { commands, listed, paragraphs, pattern } from './markdown.ts';

export interface Scenario {
  readonly title: string;
  readonly text: string;
}

export function scenariosOf(system: System): Scenario[] {
  return [
    { title: 'One container is down', text: containerDown(system) },
    { title: 'Data is corrupted', text: corrupted(system) },
    { title: 'Something was deleted', text: deleted(system) },
    { title: 'Some of it is lost', text: partial(system) },
    { title: 'The whole system is broken, the machine is not', text: whole(system) },
    { title: 'The machine is lost', text: newMachine(system) },
    { title: 'The site is lost', text: siteLost(system) },
    { title: 'Ransomware, or somebody who wants it gone', text: ransomware(system) },
  ];
}

/** Look first, then the same plan by its digest: with four eyes by somebody else. */
function approved({ name, approval }: System, verb: string, look: string, variable: string): string {
  if (approval.fourEyes) {
    return paragraphs(
      commands(`holdfast ${verb} ${look} --dry-run`),
      'It waits for somebody else than who starts it. The first prints the digest and ends with 2, the second is for the other person:',
      pattern(`holdfast ${verb} ${look}`, `holdfast approve ${name} DIGEST --watch`),
    );
  }
  return commands(
    `holdfast ${verb} ${look} --dry-run                 # look, and go on only if it is what you want`,
    `${variable}=$(holdfast ${verb} ${look} --dry-run --json | jq -er .plan.digest)`,
    `holdfast ${verb} ${look} --approve "$${variable}"`,
  );
}

function containerDown(system: System): string {
  const projects = system.components.filter((one): one is ComposeComponent => one.kind === 'compose');
  const units = system.components.filter((one): one is SystemdComponent => one.kind === 'systemd');
  if (projects.length + units.length === 0) {
    return 'No Compose project and no systemd unit is declared: start the service as its machine does (`systemctl status`, `systemctl restart`), then look with `holdfast monitor`.';
  }
  return paragraphs(
    'Found, its log shown, started again, waited for; what a capture or a person holds is left alone:',
    commands(`holdfast restart ${system.name}`),
    'Without Holdfast:',
    ...projects.map(({ project, directory, files, healthTimeoutSeconds }) => {
      const compose = ['docker compose', ...files.map((file) => `-f ${quoted(file)}`), `-p ${quoted(project)}`].join(
        ' ',
      );
      return paragraphs(
        `Project \`${project}\`: which one, why, again, and healthy within ${formatSeconds(healthTimeoutSeconds)}.`,
        commands(
          `cd ${quoted(directory)}`,
          `${compose} ps --all`,
          `${compose} logs --tail 100 --no-color`,
          `${compose} up --detach --wait --wait-timeout ${healthTimeoutSeconds}`,
        ),
      );
    }),
    ...units.map(({ name, scope, units: own }) => {
      const [systemctl, journal] = scope === 'system' ? ['systemctl', '-u'] : ['systemctl --user', '--user-unit'];
      return paragraphs(
        `Units of \`${name}\`: how they are, why, again.`,
        pattern(
          `${systemctl} status ${own.map(quoted).join(' ')}`,
          `journalctl ${own.map((one) => `${journal} ${quoted(one)}`).join(' ')} -n 100`,
          `${systemctl} restart ${own.map(quoted).join(' ')}`,
        ),
      );
    }),
    'When it falls again after that, its data may be the reason: go on with “Data is corrupted”.',
  );
}

function corrupted(system: System): string {
  const { name } = system;
  const parts = componentsByTier(system).filter((part) => !runsServices(part));
  return paragraphs(
    'What is corrupted, and since when: older backups are not cleaner by themselves, and a newer one may hold the damage.',
    commands(
      `holdfast monitor ${name} || true`,
      `holdfast list ${name}`,
      `holdfast verify ${name} latest --level content`,
    ),
    'Nobody knows since when: backups are restored in isolation one by one, newest first, until one is clean. Nothing live is touched.',
    pattern(
      `holdfast clean-point ${name}`,
      `holdfast restore ${name} --backup clean --component COMPONENT --dry-run     # what it has named`,
    ),
    'One part, beside the rest, checked before it takes the live one’s place (the old state is kept aside for ' +
      `${formatSeconds(system.keepAsideSeconds)}). An older backup by its id or with \`--before <time>\`.`,
    ...parts.map((part) =>
      paragraphs(
        `**${part.name}** (${part.tier}, ${part.kind})${part.kind === 'postgres' && part.method === 'base' ? ': as of any moment with `--to-time <RFC 3339>`' : ''}`,
        approved(system, 'restore', `${name} --component ${part.name}`, 'DIGEST'),
      ),
    ),
  );
}

function deleted(system: System): string {
  const { name, components } = system;
  const trees = components.filter(({ kind }) => kind === 'files' || kind === 'volume');
  const databases = components.filter(({ kind }) => kind === 'sqlite' || kind === 'postgres');
  return paragraphs(
    'Only what is gone comes back; what is there stays as it is. `--path` takes one directory or file inside the component. It was wrong: `--undo` with the id of the run, which its result names.',
    ...trees.map((part) =>
      paragraphs(`**${part.name}**`, approved(system, 'missing', `${name} ${part.name}`, 'DIGEST')),
    ),
    ...(databases.length === 0
      ? []
      : [
          'Rows of a table, with what identifies them:',
          pattern(
            ...databases.map(
              (part) => `holdfast rows ${name} ${part.name} --table TABLE --where 'CONDITION' --dry-run`,
            ),
          ),
        ]),
    trees.length + databases.length === 0 ? 'No part of this system is a tree or a database.' : undefined,
  );
}

function partial(system: System): string {
  const { name } = system;
  return paragraphs(
    'Several backups may each hold a part that the others lack. Put back from the newest first, then from older ones: what is there by then is not touched.',
    pattern(
      `holdfast list ${name}`,
      `holdfast missing ${name} COMPONENT --backup ID --dry-run`,
      `holdfast rows ${name} COMPONENT --table TABLE --backup ID --dry-run`,
    ),
    'Each preview says how much it would add; the run itself is the same line without `--dry-run`, with `--approve DIGEST`.',
  );
}

function whole(system: System): string {
  const { name, checks } = system;
  const seen =
    checks.length === 0
      ? 'No checks are declared: whether it works is for people to see.'
      : `Afterwards it is asked by its checks: ${checks.map((check) => check.name).join(', ')}.`;
  return paragraphs(
    `Every part from its newest usable backup, in the order of the tiers. ${seen}`,
    approved(system, 'restore', `${name} --whole`, 'DIGEST'),
  );
}

const KIT = 'export KIT="${KIT:-/root/recovery-kit.txt}"';

function newMachine(system: System): string {
  const { name, stores } = system;
  const [first] = stores;
  const from = first === undefined ? 'STORE' : quoted(addressOf(first));
  return paragraphs(
    'A bare machine with Holdfast installed (`npm run setup -- run` in its directory), Docker where the system needs it, the recovery kit, and the credentials of one store in the environment. Nothing else of the old machine is needed.',
    commands(
      KIT,
      `holdfast restore --kit "$KIT" --from-store ${from} --whole --dry-run`,
      `DIGEST=$(holdfast restore --kit "$KIT" --from-store ${from} --whole --dry-run --json | jq -er .plan.digest)`,
      `holdfast restore --kit "$KIT" --from-store ${from} --whole --approve "$DIGEST"`,
    ),
    'Then make it the machine that backs up: the system file lies in `state/' +
      name +
      '/recovered.yaml` of Holdfast’s directory; put the stores and secrets back as they were, and:',
    pattern(
      'holdfast init FILE --kit KIT',
      `holdfast doctor ${name}`,
      'holdfast up &',
      `holdfast apply ${name}`,
      `holdfast backup ${name} ${system.plans[0]?.name ?? 'PLAN'}`,
    ),
  );
}

function siteLost(system: System): string {
  const { stores, site, name } = system;
  const away = stores.filter(({ place }) => place !== site);
  if (away.length === 0) {
    return `**No store is declared at another place than ${site}.** With the site everything is lost but what was carried out of it by hand.`;
  }
  return paragraphs(
    `What lies elsewhere: ${away.map((store) => `\`${store.name}\` (${store.place})`).join(', ')}. First make sure that the old site is really down and stays so: two of this system at once would both take writes. Then, on a machine elsewhere, as for a lost machine:`,
    pattern(
      ...away.map((store) => `holdfast restore --kit KIT --from-store ${quoted(addressOf(store))} --whole --dry-run`),
    ),
    `No second site is declared in the file of ${name}: where names point to (DNS, load balancers) is moved by hand.`,
  );
}

function ransomware(system: System): string {
  const { name, stores } = system;
  const locked = stores.filter(isLocked);
  return paragraphs(
    listed([
      'Take the machine off the network. Don’t shut it down, don’t prune, don’t delete anything.',
      'Change the credentials of the stores from another machine: a stolen one may still write.',
      locked.length === 0
        ? '**No store of this system locks what it holds**: look at once whether backups are still there.'
        : `Locked against everybody: ${locked.map((store) => `\`${store.name}\``).join(', ')}.`,
    ]),
    'From a clean machine: who did what, and what is whole.',
    commands(
      `holdfast audit ${name}`,
      `holdfast list ${name}`,
      `holdfast verify ${name} --whole --all --level content`,
    ),
    'Keep what is from before, and bring it back on a clean machine, never on the one that was taken over. A backup made since may hold what the intruder left: look at it in isolation first.',
    pattern(
      `holdfast clean-point ${name}`,
      `holdfast hold add ${name} BACKUP --why 'from before the intrusion'`,
      `holdfast drill ${name} BACKUP`,
      `holdfast restore --kit KIT --from-store STORE --whole --before TIME --dry-run`,
    ),
  );
}
