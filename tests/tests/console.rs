//! A real client of tokio-console's protocol on the port that also has the pages. Needs the feature
//! `console`, and most of it `--cfg tokio_unstable`.

#![cfg(feature = "console")]

#[cfg(not(tokio_unstable))]
#[test]
fn without_the_flag_the_layer_is_an_error_that_names_it() {
    let made = taskprof::console::layer::<tracing_subscriber::Registry>();
    let Err(error) = made.map(|_| ()) else {
        panic!("it would show an empty list");
    };
    assert!(error.is_unavailable());
    assert_eq!(
        error.to_string(),
        "tokio says nothing of its tasks in this build, so the console would show none: build everything with \
         RUSTFLAGS=\"--cfg tokio_unstable\", or leave the console out; the pages need no flag"
    );
}

#[cfg(tokio_unstable)]
mod with_the_flag {
    use std::future::{pending, poll_fn};
    use std::net::SocketAddr;
    use std::sync::mpsc;
    use std::task::Poll;
    use std::thread;
    use std::time::{Duration, Instant};

    use console_api::Location;
    use console_api::instrument::instrument_client::InstrumentClient;
    use console_api::instrument::{
        InstrumentRequest, PauseRequest, ResumeRequest, TaskDetailsRequest, Update,
    };
    use console_api::tasks::Task;
    use taskprof::Server;
    use taskprof::console::{Console, Options};
    use taskscope::DumpOptions;
    use taskscope_tests::get;
    use tokio::runtime::{Builder, Runtime};
    use tokio::sync::{Barrier, Mutex, Notify, Semaphore, oneshot};
    use tokio::time::Instant as TokioInstant;
    use tonic::transport::Channel;
    use tonic::{Code, Status, Streaming};
    use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets, filter_fn};
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::registry;
    use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
    use tracing_subscriber::{Layer, Registry};

    fn options() -> Options {
        Options::new().publish_interval(Duration::from_millis(20))
    }

    fn serve(console: Console) -> Server {
        let server = taskprof::server().console(console);
        server.bind("127.0.0.1:0").unwrap()
    }

    fn application() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// Runs a client on a thread of its own: nothing of it is seen by the subscriber of the test.
    fn as_client<T: Send>(talk: impl AsyncFnOnce() -> T + Send) -> T {
        thread::scope(|scope| scope.spawn(|| application().block_on(talk())).join()).unwrap()
    }

    async fn connect(addr: SocketAddr) -> InstrumentClient<Channel> {
        InstrumentClient::connect(format!("http://{addr}"))
            .await
            .unwrap()
    }

    /// The tasks of updates until there is one for each location.
    async fn watch(updates: &mut Streaming<Update>, wanted: &[(&str, u32)]) -> Vec<Task> {
        let mut tasks: Vec<Task> = Vec::new();
        loop {
            let found = |(file, line): &(&str, u32)| tasks.iter().any(|t| is_at(t, file, *line));
            if wanted.iter().all(found) {
                return tasks;
            }
            let update = updates.message().await.unwrap().expect("more updates");
            tasks.extend(update.task_update.unwrap().new_tasks);
        }
    }

    fn is_at(task: &Task, file: &str, line: u32) -> bool {
        let Some(Location {
            file: Some(at_file),
            line: at_line,
            ..
        }) = &task.location
        else {
            return false;
        };
        at_file.ends_with(file) && *at_line == Some(line)
    }

    #[test]
    fn tasks_of_both_kinds_are_listed_by_their_spawn_site_while_the_pages_answer_on_the_same_port()
    {
        let (layer, console) = options().layer().unwrap();
        let _installed = registry().with(layer).set_default();
        let server = serve(console);
        let addr = server.local_addr();
        let application = application();
        let (told, sites) = mpsc::channel();
        // The client attaches before the tasks are there and after, so both kinds of updates are
        // read.
        let client = thread::spawn(move || {
            self::application().block_on(async {
                let mut client = connect(addr).await;
                let watched = client.watch_updates(InstrumentRequest {}).await;
                let mut early = watched.unwrap().into_inner();
                early.message().await.unwrap().unwrap();
                let wanted: Vec<(&str, u32)> = sites.recv().unwrap();
                let tasks = watch(&mut early, &wanted).await;
                let watched = client.watch_updates(InstrumentRequest {}).await;
                let mut late = watched.unwrap().into_inner();
                watch(&mut late, &wanted).await;
                // Everything else that a terminal does.
                let tracked = tasks.iter().find(|t| is_at(t, file!(), wanted[0].1));
                let id = tracked.unwrap().id;
                let details = client.watch_task_details(TaskDetailsRequest { id }).await;
                let details = details.unwrap().into_inner().message().await;
                assert_eq!(details.unwrap().unwrap().task_id, id);
                client.pause(PauseRequest {}).await.unwrap();
                client.resume(ResumeRequest {}).await.unwrap();
                // Both streams are open.
                let index = get(addr, "/debug/profile");
                assert_eq!(index.status, 200);
                let dump = get(addr, "/debug/pprof/goroutine?debug=1");
                assert_eq!(dump.status, 200);
                assert!(dump.text().contains(file!()), "{}", dump.text());
                tasks
            })
        });
        application.block_on(async {
            let tracked = taskscope::spawn(pending::<()>());
            let tracked_at = line!() - 1;
            let plain = tokio::spawn(pending::<()>());
            let plain_at = line!() - 1;
            told.send(vec![(file!(), tracked_at), (file!(), plain_at)])
                .unwrap();
            while !client.is_finished() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            drop((tracked, plain));
        });
        let tasks = client.join().unwrap();
        let of_ours = |task: &&Task| {
            let location = task.location.as_ref().and_then(|at| at.file.as_deref());
            location.is_some_and(|file| file.contains("taskprof") || file.contains("tonic"))
        };
        assert_eq!(tasks.iter().find(of_ours), None);
        server.shutdown();
    }

    /// In every trace, so that it can be seen to reach the user's code.
    async fn my_own_function<F: Future>(leaf: F) {
        leaf.await;
    }

    // With the feature tokio wraps most of what it waits for in futures and spans of its own.
    #[test]
    fn what_taskscope_says_of_a_task_is_the_same_while_the_console_records() {
        let (layer, console) = options().layer().unwrap();
        let _installed = registry().with(layer).set_default();
        let server = serve(console);
        let runtime = application();
        let tasks = runtime.block_on(async {
            let lock: &'static Mutex<()> = Box::leak(Box::new(Mutex::new(())));
            let none: &'static Semaphore = Box::leak(Box::new(Semaphore::new(0)));
            let bell: &'static Notify = Box::leak(Box::new(Notify::new()));
            let both: &'static Barrier = Box::leak(Box::new(Barrier::new(2)));
            let _held = lock.lock().await;
            let (_sender, receiver) = oneshot::channel::<()>();
            let (_many, mut messages) = tokio::sync::mpsc::channel::<()>(1);
            let long = Duration::from_secs(600);
            spawn("mutex lock", lock.lock());
            spawn("semaphore acquire", none.acquire());
            spawn("notify", bell.notified());
            spawn("barrier", both.wait());
            spawn("oneshot recv", receiver);
            spawn("mpsc recv", async move { messages.recv().await });
            spawn("sleep", tokio::time::sleep(long));
            spawn("interval tick", async move {
                let mut interval = tokio::time::interval_at(TokioInstant::now() + long, long);
                interval.tick().await;
            });
            spawn("nothing", poll_fn(|_| Poll::<()>::Pending));
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            let runtime = tokio::runtime::Handle::current().id();
            DumpOptions::new().runtime(runtime).capture().await.tasks
        });
        assert_eq!(tasks.len(), 9);
        for task in tasks {
            let name = task.name.as_ref().unwrap().to_string();
            if name == "nothing" {
                assert_eq!(task.verdict.name(), "stuck");
                continue;
            }
            assert_eq!(task.verdict.name(), "idle", "{name}");
            let trace = task.trace.unwrap_or_else(|why| panic!("{name}: {why}"));
            assert_eq!(trace.wait_reason().to_string(), name, "{trace}");
            let text = trace.to_string();
            assert!(text.contains("my_own_function"), "{text}");
            for wrapper in ["tokio::util::trace", "tracing::", "console_subscriber"] {
                assert!(!text.contains(wrapper), "{name}: {text}");
            }
        }
        server.shutdown();
    }

    #[track_caller]
    fn spawn<F>(name: &'static str, future: F)
    where
        F: Future + Send + 'static,
    {
        drop(taskscope::spawn_named(name, my_own_function(future)));
    }

    #[test]
    fn a_layer_that_is_not_installed_is_an_error_of_bind() {
        let (layer, console) = options().layer::<Registry>().unwrap();
        let error = taskprof::server()
            .console(console)
            .bind("127.0.0.1:0")
            .unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        let said = error.to_string();
        assert!(
            said.starts_with("taskprof does not start a server: the layer of the console is part of no subscriber"),
            "{said}"
        );
        drop(layer);
        // It was, but is no more.
        let (layer, console) = options().layer().unwrap();
        drop(registry().with(layer).set_default());
        let bound = taskprof::server().console(console).bind("127.0.0.1:0");
        assert_eq!(bound.unwrap_err().to_string(), said);
    }

    // A filter around everything, as an `EnvFilter` with `info` is.
    #[test]
    fn a_subscriber_that_filters_tokio_out_is_an_error_of_bind_and_a_filter_on_another_layer_is_not()
     {
        let (layer, console) = options().layer().unwrap();
        let installed = registry().with(layer).with(LevelFilter::INFO).set_default();
        let bound = taskprof::server().console(console).bind("127.0.0.1:0");
        let said = bound.unwrap_err().to_string();
        assert!(said.contains("filters out what tokio says"), "{said}");
        drop(installed);

        let (layer, console) = options().layer().unwrap();
        let other = tracing_subscriber::layer::Identity::new()
            .with_filter(LevelFilter::INFO.and(filter_fn(|_| true)));
        let _installed = registry().with(layer).with(other).set_default();
        serve(console).shutdown();

        let (layer, console) = options().layer().unwrap();
        let allowed = Targets::new()
            .with_default(LevelFilter::INFO)
            .with_target("tokio", LevelFilter::TRACE)
            .with_target("runtime", LevelFilter::TRACE);
        let _installed = registry().with(layer).with(allowed).set_default();
        serve(console).shutdown();
    }

    #[test]
    fn a_client_learns_that_the_layer_is_gone() {
        let (layer, console) = options().layer().unwrap();
        let installed = registry().with(layer).set_default();
        let server = serve(console);
        let addr = server.local_addr();
        let watch = async || -> Result<(), Status> {
            let mut client = connect(addr).await;
            let updates = client.watch_updates(InstrumentRequest {}).await?;
            let first = updates.into_inner().message().await;
            first.map(|update| assert!(update.is_some()))
        };
        // The control.
        as_client(watch).unwrap();
        drop(installed);
        // The event to wait for: its thread looks once in an interval.
        let began = Instant::now();
        let status = loop {
            assert!(began.elapsed() < Duration::from_secs(60));
            match as_client(watch) {
                Ok(()) => thread::sleep(Duration::from_millis(5)),
                Err(status) => break status,
            }
        };
        assert_eq!(status.code(), Code::Internal);
        assert!(status.message().contains("not running"), "{status}");
        // The pages do not mind.
        assert_eq!(get(addr, "/debug/profile").status, 200);
        server.shutdown();
    }

    #[test]
    fn a_server_with_a_token_refuses_clients_that_do_not_show_it() {
        const TOKEN: &str = "6f1ed002ab5595859014ebf0951522d9";
        let (layer, console) = options().layer().unwrap();
        let _installed = registry().with(layer).set_default();
        let server = taskprof::server().console(console).bearer_token(TOKEN);
        let server = server.bind("127.0.0.1:0").unwrap();
        let addr = server.local_addr();
        as_client(async || {
            let mut client = connect(addr).await;
            let refused = client.watch_updates(InstrumentRequest {}).await;
            let refused = refused.unwrap_err();
            assert_eq!(refused.code(), Code::Unauthenticated);
            assert!(
                refused.message().starts_with("this needs a token"),
                "{refused}"
            );
            // The control.
            let mut request = tonic::Request::new(InstrumentRequest {});
            let shown = format!("Bearer {TOKEN}").parse().unwrap();
            request.metadata_mut().insert("authorization", shown);
            let updates = client.watch_updates(request).await.unwrap();
            assert!(updates.into_inner().message().await.unwrap().is_some());
        });
        server.shutdown();
    }

    #[test]
    fn a_client_that_is_attached_is_let_go_at_shutdown() {
        let (layer, console) = options().layer().unwrap();
        let _installed = registry().with(layer).set_default();
        let server = serve(console);
        let addr = server.local_addr();
        let (attached, is_attached) = mpsc::channel();
        let client = thread::spawn(move || {
            application().block_on(async {
                let mut client = connect(addr).await;
                let updates = client.watch_updates(InstrumentRequest {}).await;
                let mut updates = updates.unwrap().into_inner();
                updates.message().await.unwrap().unwrap();
                attached.send(()).unwrap();
                while let Ok(Some(_)) = updates.message().await {}
            });
        });
        is_attached.recv().unwrap();
        server.shutdown();
        client.join().unwrap();
        std::net::TcpListener::bind(addr).unwrap();
    }

    #[test]
    fn times_that_make_no_sense_are_refused() {
        let hour = Duration::from_secs(3600);
        let longer = hour + Duration::from_millis(1);
        for (options, part) in [
            (Options::new().retention(longer), "the retention"),
            (
                Options::new().publish_interval(Duration::ZERO),
                "the publish interval",
            ),
            (
                Options::new().publish_interval(longer),
                "the publish interval",
            ),
        ] {
            let error = options.layer::<Registry>().map(|_| ()).unwrap_err();
            assert!(error.is_invalid_argument());
            assert!(error.to_string().starts_with(part), "{error}");
        }
        let most = Options::new().retention(hour).publish_interval(hour);
        most.layer::<Registry>().map(|_| ()).unwrap();
        let least = Options::new()
            .retention(Duration::ZERO)
            .publish_interval(Duration::from_millis(10));
        least.layer::<Registry>().map(|_| ()).unwrap();
    }

    // It is an application's usual way, and there is one for a process.
    #[test]
    fn a_second_global_subscriber_that_is_refused_takes_its_console_along() {
        let (layer, _console) = options().layer().unwrap();
        registry()
            .with(LevelFilter::OFF)
            .with(layer)
            .try_init()
            .unwrap();
        let (layer, console) = options().layer().unwrap();
        let refused: Result<(), TryInitError> = registry().with(layer).try_init();
        assert!(refused.is_err());
        let bound = taskprof::server().console(console).bind("127.0.0.1:0");
        let said = bound.unwrap_err().to_string();
        assert!(said.contains("part of no subscriber"), "{said}");
    }
}
