import { Command, InvalidArgumentError, type Option } from 'commander';
import { UserError } from '../errors.js';

const count = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError('a whole number is needed.');
  return value;
};

const targets = ['<targets...>', 'KIND, KIND NAME…, KIND/NAME… or KIND,KIND'] as const;
const named = ['<targets...>', 'KIND NAME… or KIND/NAME…'] as const;
const files = ['-f, --filename <files...>', 'files, directories, URLs, or - for standard input'] as const;
const selector = ['-l, --selector <labels>', 'what these labels select'] as const;

/** The everyday verbs of kubectl, as commands; what a verb does is loaded when it runs. */
export function verbCommands(nameOption: () => Option): Command[] {
  const verb = (name: string, description: string): Command =>
    new Command(name)
      .description(description)
      .addOption(nameOption())
      .option('-n, --namespace <namespace>', 'which namespace (default)');
  return [
    getCommand(verb('get', 'list objects as a table, or as YAML or JSON')),
    verb('apply', 'create what manifests say, or change it to what they say')
      .requiredOption(...files)
      .option('-R, --recursive', "directories' directories, too")
      .action(async (options) => (await import('./apply.js')).apply(options)),
    deleteCommand(verb('delete', 'delete objects, and wait until they are gone')),
    verb('describe', 'all about objects, with their events')
      .argument(...targets)
      .option(...selector)
      .action(async (args: string[], options) => (await import('./describe.js')).describe(args, options)),
    logsCommand(verb('logs', "a container's output")),
    verb('scale', 'set how many replicas there are')
      .argument(...named)
      .requiredOption('--replicas <n>', 'how many', count)
      .option('--current-replicas <n>', 'only if there are this many now', count)
      .option(...selector)
      .option('--all', 'all of the kind')
      .action(async (args: string[], options) => (await import('./scale.js')).scale(args, options)),
    rolloutCommand(verb),
    verb('label', 'set (k=v) and remove (k-) labels')
      .argument('<targets...>', 'KIND NAME… or KIND/NAME…, then k=v and k-')
      .option('--overwrite', 'change a label that has another value')
      .option(...selector)
      .option('--all', 'all of the kind')
      .action(async (args: string[], options) => (await import('./label.js')).label(args, options)),
    verb('wait', 'wait until objects are in a state')
      .argument(...targets)
      .requiredOption('--for <what>', 'condition=TYPE, condition=TYPE=VALUE, create or delete')
      .option('--timeout <duration>', 'how long', '30s')
      .option(...selector)
      .option('--all', 'all of the kind')
      .action(async (args: string[], options) => (await import('./wait.js')).wait(args, options)),
    execCommand(),
  ];
}

const getCommand = (command: Command): Command =>
  command
    .argument(...targets)
    .option('-A, --all-namespaces', 'in every namespace')
    .option('-o, --output <format>', 'wide, yaml, json or name')
    .option(...selector)
    .option('--field-selector <fields>', 'what these fields select')
    .option('-w, --watch', 'go on with every change')
    .option('--no-headers', 'rows only')
    .option('--show-labels', 'a column with the labels')
    .option('--ignore-not-found', 'a missing object is no failure')
    .action(async (args: string[], options) => (await import('./get.js')).get(args, options));

const deleteCommand = (command: Command): Command =>
  command
    .argument('[targets...]', 'KIND NAME… or KIND/NAME…')
    .option(...files)
    .option('-R, --recursive', "directories' directories, too")
    .option(...selector)
    .option('--all', 'all of the kind')
    .option('--wait [yes]', 'until they are gone (--wait=false: do not)', 'true')
    .option('--timeout <duration>', 'how long to wait (no limit)')
    .option('--grace-period <seconds>', 'how long a pod may take to end', count)
    .option('--now', 'with one second of grace')
    .option('--force', 'at once, without waiting for the node')
    .option('--cascade <how>', 'background, foreground or orphan', 'background')
    .option('--ignore-not-found', 'a missing object is no failure')
    .action(async (args: string[], options) => (await import('./delete.js')).deleteObjects(args, options));

const logsCommand = (command: Command): Command =>
  command
    .argument('<target>', 'POD or KIND/NAME')
    .argument('[container]')
    .option('-c, --container <name>', 'which container')
    .option('-f, --follow', 'go on with what is written')
    .option('--tail <lines>', 'only the last lines', count)
    .option('-p, --previous', 'of the run before a restart')
    .option('--timestamps', 'when each line was written')
    .option('--since <duration>', 'only what is newer, such as 10s')
    .action(async (target: string, container: string | undefined, options) =>
      (await import('./logs.js')).logs(target, container, options),
    );

function rolloutCommand(verb: (name: string, description: string) => Command): Command {
  return new Command('rollout')
    .description('how far a deployment is, or new pods for it')
    .addCommand(
      verb('status', 'until a rollout has ended')
        .argument(...named)
        .option('--timeout <duration>', 'how long (no limit)')
        .option('--no-watch', 'say how far it is, and do not wait')
        .option(...selector)
        .action(async (args: string[], options) => (await import('./rollout.js')).rolloutStatus(args, options)),
    )
    .addCommand(
      verb('restart', 'replace its pods')
        .argument(...named)
        .option(...selector)
        .action(async (args: string[], options) => (await import('./rollout.js')).rolloutRestart(args, options)),
    );
}

const execCommand = (): Command =>
  new Command('exec')
    .description('not there yet')
    .argument('[args...]')
    .allowUnknownOption()
    .action(() => {
      throw new UserError('exec is not there yet', 'flotilla logs shows what a container writes');
    });
