// A contender in a process of its own, so that nothing of it runs while another is measured.
import { fork } from "node:child_process";

export class Child {
  #process;
  #waiting;

  constructor(module, env = {}) {
    this.#process = fork(module, { env: { ...process.env, ...env }, stdio: ["ignore", 2, 2, "ipc"] });
    this.#process.on("message", ({ error, ...reply }) => {
      const { resolve, reject } = this.#waiting;
      this.#waiting = undefined;
      if (error === undefined) resolve(reply);
      else reject(new Error(error));
    });
    this.#process.on("exit", (code) => this.#waiting?.reject(new Error(`${module} ended with ${code}`)));
  }

  call(task, argument = {}) {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#process.send({ task, ...argument });
    });
  }

  /** Its threads rest until resume(): those of OpenMP may spin for minutes after their last work. */
  pause() {
    this.#process.kill("SIGSTOP");
  }

  resume() {
    this.#process.kill("SIGCONT");
  }

  stop() {
    this.#process.kill("SIGKILL");
  }
}

/** In the child: answers each message with what the task of that name returns. */
export function serve(tasks) {
  process.on("message", async ({ task, ...argument }) => {
    try {
      process.send(await tasks[task](argument));
    } catch (error) {
      process.send({ error: error.stack });
    }
  });
  process.on("disconnect", () => process.exit(0));
}
