// Brings queues into the states that the tests are about, with the real BullMQ, and says so line by line.
// Arguments: folder of the packages, "redis" or "postgres", port, password or socket folder, prefix. Commands: stdin.
"use strict";
const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

const [folder, backend, port, secret, prefix] = process.argv.slice(2);
const from = createRequire(path.join(folder, "index.js"));
const bullmq = from("bullmq");
const connection =
  backend === "redis"
    ? { host: "127.0.0.1", port: Number(port), password: secret, maxRetriesPerRequest: null }
    : { host: secret, port: Number(port), user: "postgres", database: "queues", migrate: true, max: 2 };
if (backend === "postgres") bullmq.setDefaultBackendFactory(bullmq.createPostgresBackend);
const options = backend === "redis" ? { connection, prefix } : { connection };
const workers = [];
// Tests say by the name of a job what becomes of it.
const process_ = async (job) => {
  if (job.name === "final") throw new bullmq.UnrecoverableError(`Pedido 4711 de "Ana Rojas" no existe`);
  if (job.name !== "fine") throw new Error(`connect ECONNREFUSED 10.0.0.7:5432`);
};

// Closed after each command: in PostgreSQL every queue keeps connections.
async function withQueue(name, act) {
  const queue = new bullmq.Queue(name, options);
  try {
    await queue.waitUntilReady();
    return await act(queue);
  } finally {
    await queue.close();
  }
}

// Works until as many jobs as said have ended one attempt.
async function work(name, attempts, workerOptions) {
  const worker = new bullmq.Worker(name, process_, { ...options, ...workerOptions });
  await new Promise((resolve, reject) => {
    let left = attempts;
    const ended = () => --left || resolve();
    worker.on("completed", ended);
    worker.on("failed", ended);
    worker.on("error", reject);
  });
  await worker.close();
}

const commands = {
  add: (name, job, count, jobOptions) =>
    withQueue(name, (queue) =>
      queue.addBulk(Array.from({ length: count }, () => ({ name: job, data: {}, opts: jobOptions ?? {} }))),
    ),
  work,
  listen: async (name, label) => {
    const worker = new bullmq.Worker(name, process_, { ...options, name: label ?? undefined });
    workers.push(worker);
    await worker.waitUntilReady();
  },
  events: async (name) => {
    const events = new bullmq.QueueEvents(name, options);
    workers.push(events);
    await events.waitUntilReady();
  },
  leave: async () => {
    while (workers.length) await workers.pop().close();
  },
  pause: (name) => withQueue(name, (queue) => queue.pause()),
  resume: (name) => withQueue(name, (queue) => queue.resume()),
  retry: (name) => withQueue(name, (queue) => queue.retryJobs({ state: "failed" })),
  clean: (name, count) => withQueue(name, (queue) => queue.clean(0, count, "failed")),
  remove: (name) =>
    withQueue(name, async (queue) => {
      for (const job of await queue.getFailed()) await job.remove();
    }),
};

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [command, ...given] = JSON.parse(line);
    const said = await Promise.resolve(commands[command](...given)).then(() => "done", (error) => error.stack);
    console.log(said.replaceAll("\n", " "));
  }
})();
