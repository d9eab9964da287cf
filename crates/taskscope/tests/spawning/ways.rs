//! One table of all ways, each asked the same questions.

use std::cell::RefCell;
use std::future::pending;
use std::sync::{Mutex, PoisonError, mpsc};

use taskscope::{Builder, JoinSet, Scope, TaskDump, TaskKind};
use tokio::runtime::{self, Handle, LocalRuntime};
use tokio::task::LocalSet;

use crate::support::{dumped, named};

/// Where the tasks are spawned.
struct World {
    local_set: LocalSet,
    local_runtime: LocalRuntime,
    /// Keeps calls on the blocking pool running.
    calls: RefCell<Vec<mpsc::Sender<()>>>,
}

impl World {
    /// A function that returns at the end of the world.
    fn call(&self) -> impl FnOnce() + Send + 'static {
        let (keep, ended) = mpsc::channel::<()>();
        self.calls.borrow_mut().push(keep);
        move || {
            let _ = ended.recv();
        }
    }
}

/// A task that was spawned, and how to let go of it without ending it.
struct Spawned {
    line: u32,
    let_go: Box<dyn FnOnce()>,
}

fn handle<T: 'static>(line: u32, handle: T) -> Spawned {
    Spawned {
        line,
        let_go: Box::new(|| drop(handle)),
    }
}

fn set(line: u32, mut set: JoinSet<()>) -> Spawned {
    Spawned {
        line,
        let_go: Box::new(move || set.detach_all()),
    }
}

type Way = (&'static str, TaskKind, fn(Builder, &World) -> Spawned);

const WAYS: &[Way] = &[
    ("spawn", TaskKind::Task, |builder, _| {
        let line = line!() + 1;
        let task = builder.spawn(pending::<()>());
        handle(line, task)
    }),
    ("spawn_on", TaskKind::Task, |builder, _| {
        let line = line!() + 1;
        let task = builder.spawn_on(&Handle::current(), pending::<()>());
        handle(line, task)
    }),
    ("spawn_local", TaskKind::Local, |builder, _| {
        let line = line!() + 1;
        let task = builder.spawn_local(pending::<()>());
        handle(line, task)
    }),
    ("spawn_local_on", TaskKind::Local, |builder, world| {
        let line = line!() + 1;
        let task = builder.spawn_local_on(&world.local_set, pending::<()>());
        handle(line, task)
    }),
    (
        "spawn_local_on_runtime",
        TaskKind::Local,
        |builder, world| {
            let line = line!() + 1;
            let task = builder.spawn_local_on_runtime(&world.local_runtime, pending::<()>());
            handle(line, task)
        },
    ),
    ("spawn_blocking", TaskKind::Blocking, |builder, world| {
        let line = line!() + 1;
        let task = builder.spawn_blocking(world.call());
        handle(line, task)
    }),
    ("spawn_blocking_on", TaskKind::Blocking, |builder, world| {
        let line = line!() + 1;
        let task = builder.spawn_blocking_on(&Handle::current(), world.call());
        handle(line, task)
    }),
    ("set: spawn", TaskKind::Task, |builder, _| {
        let mut tasks = JoinSet::new();
        let line = line!() + 1;
        builder.in_set(&mut tasks).spawn(pending::<()>());
        set(line, tasks)
    }),
    ("set: spawn_on", TaskKind::Task, |builder, _| {
        let mut tasks = JoinSet::new();
        let builder = builder.in_set(&mut tasks);
        let line = line!() + 1;
        builder.spawn_on(pending::<()>(), &Handle::current());
        set(line, tasks)
    }),
    ("set: spawn_local", TaskKind::Local, |builder, _| {
        let mut tasks = JoinSet::new();
        let line = line!() + 1;
        builder.in_set(&mut tasks).spawn_local(pending::<()>());
        set(line, tasks)
    }),
    ("set: spawn_local_on", TaskKind::Local, |builder, world| {
        let mut tasks = JoinSet::new();
        let builder = builder.in_set(&mut tasks);
        let line = line!() + 1;
        builder.spawn_local_on(pending::<()>(), &world.local_set);
        set(line, tasks)
    }),
    (
        "set: spawn_blocking",
        TaskKind::Blocking,
        |builder, world| {
            let mut tasks = JoinSet::new();
            let line = line!() + 1;
            builder.in_set(&mut tasks).spawn_blocking(world.call());
            set(line, tasks)
        },
    ),
    (
        "set: spawn_blocking_on",
        TaskKind::Blocking,
        |builder, world| {
            let mut tasks = JoinSet::new();
            let builder = builder.in_set(&mut tasks);
            let line = line!() + 1;
            builder.spawn_blocking_on(world.call(), &Handle::current());
            set(line, tasks)
        },
    ),
];

/// The way whose task has no handle to let go of.
const DRIVEN: Way = ("instrument", TaskKind::Driven, |builder, _| {
    let line = line!() + 1;
    let future = builder.instrument(pending::<()>());
    handle(line, future)
});

/// Runs on one thread that has a `LocalSet`, and another one at hand. One at a time: spawn sites
/// tell the tasks apart.
fn in_a_world<R>(body: impl AsyncFnOnce(&World) -> R) -> R {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let world = World {
        local_set: LocalSet::new(),
        local_runtime: LocalRuntime::new().unwrap(),
        calls: RefCell::default(),
    };
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    let result = LocalSet::new().block_on(&runtime, body(&world));
    world.calls.borrow_mut().clear();
    result
}

/// The task that was spawned last at this line.
fn spawned_at(line: u32) -> Option<TaskDump> {
    let tasks = dumped().tasks.into_iter();
    tasks
        .filter(|task| task.site.line() == line && task.site.file() == file!())
        .max_by_key(|task| task.id)
}

/// The facts in which tasks differ: name, number of labels, scope, parent.
fn facts(task: &TaskDump) -> (Option<&str>, usize, Option<&str>, Option<u64>) {
    let scope = task.scope.as_ref().map(|scope| scope.name());
    (task.name.as_deref(), task.labels.len(), scope, task.parent)
}

#[test]
fn each_way_shows_what_was_declared_and_who_spawned_it() {
    let scope = Scope::new("owner");
    in_a_world(async |world| {
        let body = async {
            let me = named("spawns in every way").map(|task| task.id);
            assert!(me.is_some());
            for (way, kind, spawn) in WAYS.iter().chain([&DRIVEN]) {
                let spawned = spawn(Builder::new().name("subject").label("way", *way), world);
                let task = spawned_at(spawned.line).expect(way);
                assert_eq!(task.kind, *kind, "{way}");
                let expected = (Some("subject"), 1, Some("owner"), me);
                assert_eq!(facts(&task), expected, "{way}");
                assert_eq!((&*task.labels[0].0, &*task.labels[0].1), ("way", *way));
                assert!(task.site.column() > 1 && !task.background, "{way}");
            }
        };
        let spawner = Builder::new().name("spawns in every way").scope(&scope);
        spawner.instrument(body).await;
    });
}

#[test]
fn each_way_shows_nothing_that_was_not_declared() {
    in_a_world(async |world| {
        for (way, kind, spawn) in WAYS.iter().chain([&DRIVEN]) {
            let spawned = spawn(Builder::new(), world);
            let task = spawned_at(spawned.line).expect(way);
            assert_eq!(task.kind, *kind, "{way}");
            assert_eq!(facts(&task), (None, 0, None, None), "{way}");
        }
    });
}

#[test]
fn a_task_is_detached_from_when_its_handle_or_its_set_let_go_of_it() {
    in_a_world(async |world| {
        for (way, _, spawn) in WAYS {
            let kept = spawn(Builder::new(), world);
            let before = spawned_at(kept.line).expect(way);
            assert!(before.detached.is_none(), "{way}");
            (kept.let_go)();
            let after = spawned_at(kept.line).expect(way);
            assert_eq!(after.id, before.id, "{way}");
            assert!(after.detached.is_some_and(|ago| ago <= after.age), "{way}");
        }
    });
}

#[test]
fn a_scope_can_be_given_in_each_form_in_which_one_has_it() {
    let (scope, other) = (Scope::new("given"), Scope::new("other"));
    in_a_world(async |world| {
        let body = async {
            for (way, _, spawn) in WAYS.iter().chain([&DRIVEN]) {
                let builders = [
                    Builder::new().scope(&scope),
                    Builder::new().scope(scope.to_ref()),
                    Builder::new().scope(scope.to_ref()),
                ];
                for builder in builders {
                    let spawned = spawn(builder, world);
                    let task = spawned_at(spawned.line).expect(way);
                    assert_eq!(task.scope, Some(scope.to_ref().into()), "{way}");
                }
                let spawned = spawn(Builder::new(), world);
                let task = spawned_at(spawned.line).expect(way);
                assert_eq!(task.scope, Some(other.to_ref().into()), "{way}");
                let spawned = spawn(Builder::new().background(), world);
                let task = spawned_at(spawned.line).expect(way);
                assert!(task.background && task.scope.is_none(), "{way}");
            }
        };
        other.run(body).await;
    });
}
