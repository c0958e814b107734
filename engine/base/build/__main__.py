from engine.base.build.pretraining import main

main()
