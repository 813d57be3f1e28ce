import { NamedError } from '@flotilla/base';
import { Command, InvalidArgumentError, Option } from 'commander';
import { defaultPorts, type Ports, portFlags } from '../cluster.js';
import { defaultName } from '../home.js';
import { verbCommands } from '../verbs/commands.js';

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new InvalidArgumentError(`a whole number from ${least} to ${most} is needed.`);
    }
    return value;
  };
}

function clusterName(text: string): string {
  if (!/^[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?$/.test(text)) {
    throw new InvalidArgumentError('small letters, digits and dashes are allowed, 42 at most.');
  }
  return text;
}

const nameOption = (): Option =>
  new Option('--name <name>', 'which cluster').default(defaultName).argParser(clusterName);

const flagName = (flag: string): string => flag.slice(2).replace(/-(.)/g, (_, c: string) => c.toUpperCase());

interface UpFlags {
  name: string;
  nodes?: number;
  detach?: boolean;
  profile?: 'fast' | 'kubernetes';
  mergeKubeconfig: boolean;
  verbose?: boolean;
  [port: string]: unknown;
}

function portsOf(flags: UpFlags): Partial<Ports> {
  const given = (Object.keys(portFlags) as (keyof Ports)[]).map((port) => [port, flags[flagName(portFlags[port])]]);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined)) as Partial<Ports>;
}

function upCommand(): Command {
  const command = new Command('up')
    .description('start a cluster, or resume the one that was there, and serve until Ctrl-C')
    .addOption(nameOption())
    .option('--nodes <n>', 'how many nodes (3)', wholeNumber(1, 100))
    .option('-d, --detach', 'leave it running in the background')
    .addOption(new Option('--profile <profile>', 'timings: fast, or as upstream').choices(['fast', 'kubernetes']))
    .option('--no-merge-kubeconfig', "leave the user's kubeconfig alone")
    .option('-v, --verbose', 'log more, and to this terminal');
  for (const port of Object.keys(portFlags) as (keyof Ports)[]) {
    command.option(`${portFlags[port]} <port>`, `(${defaultPorts[port]})`, wholeNumber(1, 65535));
  }
  return command.action(async (flags: UpFlags) => {
    if (flags.detach) {
      const { upDetached } = await import('../commands/detached.js');
      const args = process.argv.slice(process.argv.indexOf('up') + 1).filter((a) => a !== '-d' && a !== '--detach');
      return upDetached(args, flags.name);
    }
    const { up } = await import('../commands/up.js');
    return up({ ...flags, ports: portsOf(flags) });
  });
}

function chaosCommand(): Command {
  return new Command('chaos')
    .description('break something on purpose, and heal it')
    .argument('<action>', 'kill, pause or heal')
    .argument('<kind>', 'node, pod, container, proxy, pilot, master or nats')
    .argument('[target]', 'which one: node-2, POD, POD/CONTAINER')
    .addOption(nameOption())
    .option('-n, --namespace <namespace>', 'of the pod', 'default')
    .action(
      async (action: string, kind: string, target: string | undefined, flags: { name: string; namespace: string }) => {
        const { chaos } = await import('../commands/chaos.js');
        return chaos(action, kind, target, flags);
      },
    );
}

function imageCommand(): Command {
  const image = new Command('image').description('programs that pods can run under an image name');
  image
    .command('add <name> <directory>')
    .description('register a directory under an image name')
    .option('--entrypoint <command>', 'how the program is started, as a shell command')
    .option('-e, --env <NAME=value...>', 'environment variables')
    .action(async (name: string, directory: string, flags: { entrypoint?: string; env?: string[] }) =>
      (await import('../commands/image.js')).addImage(name, directory, flags),
    );
  image.command('list').action(async () => (await import('../commands/image.js')).listImages());
  image
    .command('remove <name>')
    .action(async (name: string) => (await import('../commands/image.js')).removeImage(name));
  return image;
}

const program = new Command('flotilla')
  .description('A Kubernetes- and Istio-compatible cluster made of ordinary processes')
  .showHelpAfterError('(flotilla --help lists the commands)')
  .addCommand(upCommand())
  .addCommand(
    new Command('down')
      .description('stop a cluster; its state is kept for the next up')
      .addOption(nameOption())
      .option('--all', 'every cluster of this home')
      .option('--purge', 'also remove its data and its kubeconfig context')
      .action(async (flags: { name: string; all?: boolean; purge?: boolean }) =>
        (await import('../commands/down.js')).down(flags),
      ),
  )
  .addCommand(
    new Command('status')
      .description('processes, their memory and health')
      .addOption(nameOption())
      .option('--json', 'for programs')
      .action(async (flags: { name: string; json?: boolean }) => (await import('../commands/status.js')).status(flags)),
  )
  .addCommand(chaosCommand())
  .addCommand(imageCommand());

for (const verb of verbCommands(nameOption)) program.addCommand(verb);

program.parseAsync().catch((error: unknown) => {
  if (error instanceof NamedError) {
    console.error(`error: ${error.message}`);
    if (error.hint) console.error(`       ${error.hint}`);
  } else {
    console.error(error);
  }
  process.exitCode = 1;
  // What was started and failed has been stopped by now; a stray handle must not keep the command alive.
  setImmediate(() => process.exit(1));
});
